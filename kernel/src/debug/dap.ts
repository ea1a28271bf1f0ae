/**
 * The part of the Debug Adapter Protocol that the adapter speaks.
 * Source: Debug Adapter Protocol specification 1.6x; Jupyter's additions: "Messaging in Jupyter", "Debug request".
 */
import type { Json } from "../protocol/message.js";

export interface DapRequest {
  seq: number;
  command: string;
  arguments: Json;
}

export interface DapSource {
  name: string;
  path: string;
  sourceReference?: number;
}

export interface DapBreakpoint {
  id: number;
  verified: boolean;
  line?: number;
  column?: number;
  source?: DapSource;
  message?: string;
}

export interface DapStackFrame {
  id: number;
  name: string;
  source?: DapSource;
  line: number;
  column: number;
  presentationHint?: "normal" | "subtle";
}

export interface DapScope {
  name: string;
  presentationHint?: "locals";
  variablesReference: number;
  expensive: boolean;
}

export interface DapVariable {
  name: string;
  value: string;
  type: string;
  evaluateName?: string;
  variablesReference: number;
  namedVariables?: number;
  indexedVariables?: number;
  presentationHint?: { kind?: string; attributes?: string[]; lazy?: boolean };
}

/** Why a request cannot be served; its message is for the reader. */
export class DapError extends Error {
  override name = "DapError";
}

/** The JavaScript of a cell has one thread; workers that a cell starts are not debugged. */
export const THREAD = { id: 1, name: "Cells" } as const;

/** What `initialize` answers. */
export const CAPABILITIES = {
  supportsConfigurationDoneRequest: true,
  supportsFunctionBreakpoints: false,
  supportsConditionalBreakpoints: true,
  supportsHitConditionalBreakpoints: true,
  supportsLogPoints: true,
  supportsEvaluateForHovers: true,
  supportsSetVariable: true,
  supportsSetExpression: true,
  supportsModulesRequest: true,
  supportsLoadedSourcesRequest: true,
  supportsExceptionInfoRequest: true,
  supportsBreakpointLocationsRequest: true,
  supportsTerminateRequest: true,
  supportsDelayedStackTraceLoading: true,
  exceptionBreakpointFilters: [
    { filter: "all", label: "All Exceptions", default: false },
    { filter: "uncaught", label: "Uncaught Exceptions", default: false },
  ],
} as const;
