/** What one box may use: all its processes together, however many it starts. */
export interface BoxLimits {
  /** Memory, temporary files included. */
  memoryBytes: number;
  /** Processes and threads. */
  processes: number;
  /** Processors, also as a fraction. */
  cpus: number;
  /** Size of each folder that it can write to, and of its largest file. */
  fileBytes: number;
}

export const DEFAULT_BOX_LIMITS: BoxLimits = {
  memoryBytes: 2 * 1024 ** 3,
  processes: 256,
  cpus: 2,
  fileBytes: 256 * 1024 ** 2,
};
