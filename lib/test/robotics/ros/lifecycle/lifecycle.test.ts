/** Managed nodes over the in-process graph. */
import { describe } from "vitest";
import { graphSubject } from "../subjects.js";
import { lifecycleCases } from "./cases.js";

describe("managed nodes", () => lifecycleCases(graphSubject));
