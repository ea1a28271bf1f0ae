/** The opened CUDA device, with our header for its kernels. */
import { type CudaDevice, openCuda } from "../../runtime/cuda/start.js";
import { PRELUDE, PRELUDE_NAME } from "./kernels/prelude.js";

const HEADERS = { [PRELUDE_NAME]: PRELUDE };

/** Opens the device when first called. @throws DeviceError that says what is missing. */
export const cuda = (): CudaDevice => openCuda(HEADERS);
