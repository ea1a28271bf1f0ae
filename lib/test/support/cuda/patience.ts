/** Tests here start compilers: on a busy machine one of them may take half a minute. */
import { vi } from "vitest";

vi.setConfig({ testTimeout: 600_000, hookTimeout: 900_000 });
