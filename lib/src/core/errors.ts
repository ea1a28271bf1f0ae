/** Errors that the library throws on purpose. Each message says what was given, what was expected and where. */

/** Base of every error that the library throws on purpose. */
export class MlsysError extends Error {
  override name = "MlsysError";
}

/** Shapes that do not fit together, or an axis or index outside its range. */
export class ShapeError extends MlsysError {
  override name = "ShapeError";
}

/** A dtype that an operation cannot take, or two that have no common type. */
export class DTypeError extends MlsysError {
  override name = "DTypeError";
}

/** An argument outside its domain (a negative rate, an unknown option). */
export class ValueError extends MlsysError {
  override name = "ValueError";
}

/** A device that is missing, or an operation that it cannot run. */
export class DeviceError extends MlsysError {
  override name = "DeviceError";
}

/** A tensor used after its memory was given back. */
export class DisposedError extends MlsysError {
  override name = "DisposedError";
}

/** A transformation (grad, vmap, capture …) that a function does not allow. */
export class TransformError extends MlsysError {
  override name = "TransformError";
}
