/** Apart from the parser, so that programs that see this class need not the types of the TypeScript compiler. */
import { MlsysError } from "../../core/errors.js";

/** Source that cannot become a graph. */
export class ConversionError extends MlsysError {
  override name = "ConversionError";
}
