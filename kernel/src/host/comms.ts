/**
 * Comms: two-way channels between the front end and objects in the worker. The host only keeps the list,
 * for comm_info, and passes the messages on; targets are registered in the worker.
 */

export class Comms {
  private readonly open = new Map<string, string>();

  opened(id: string, target: string): void {
    this.open.set(id, target);
  }

  closed(id: string): void {
    this.open.delete(id);
  }

  clear(): string[] {
    const ids = [...this.open.keys()];
    this.open.clear();
    return ids;
  }

  list(target?: string): Record<string, { target_name: string }> {
    const all = [...this.open].filter(([, name]) => target === undefined || name === target);
    return Object.fromEntries(all.map(([id, name]) => [id, { target_name: name }]));
  }
}
