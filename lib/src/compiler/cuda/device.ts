/** The opened CUDA device, with our headers for its kernels. */
import { type CudaDevice, openCuda } from "../../runtime/cuda/start.js";
import { HOPPER_PRELUDE, HOPPER_PRELUDE_NAME } from "./kernels/hopper-prelude.js";
import { PRELUDE, PRELUDE_NAME } from "./kernels/prelude.js";

const HEADERS = { [PRELUDE_NAME]: PRELUDE, [HOPPER_PRELUDE_NAME]: HOPPER_PRELUDE };

/** Opens the device when first called. @throws DeviceError that says what is missing. */
export const cuda = (): CudaDevice => openCuda(HEADERS);
