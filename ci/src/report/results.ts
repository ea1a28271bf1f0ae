/** `results.json`: all that grading found, for programs and instructors, and the schema that it is published with. */
import { z } from "zod";
import { type Report, reportSchema } from "../judge/report.js";

export const resultsSchema = z.object({ version: z.literal(1), reports: z.array(reportSchema) });
export type Results = z.infer<typeof resultsSchema>;

/** With the keys in the schema's order, whether a report was just made or read from a log. */
export function resultsAsJson(reports: readonly Report[]): string {
  return `${JSON.stringify(resultsSchema.parse({ version: 1, reports }), null, 2)}\n`;
}

/** JSON Schema, draft 2020-12: the text of `ci/schema/results.schema.json`. */
export function resultsJsonSchema(): string {
  const schema = {
    $id: "urn:mlsys-grade:results:1",
    title: "Results of mlsys-grade",
    ...z.toJSONSchema(resultsSchema, { target: "draft-2020-12", io: "output" }),
  };
  return `${JSON.stringify(schema, null, 2)}\n`;
}
