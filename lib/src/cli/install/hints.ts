/** How to get what a device needs where no command of ours can install it: drivers, system packages, a compiler. */

/** Lines to do one after the other; those that are commands start with `$`. */
export const HINTS: Readonly<Record<string, readonly string[]>> = {
  native: [
    "A C compiler, and koffi, which npm installs with mlsys unless optional packages are off:",
    "$ apt install gcc        (or clang; MLSYS_CC names one elsewhere)",
    "$ npm install koffi",
  ],
  cuda: [
    "A driver of NVIDIA's (nvidia-smi answers), koffi, and CUDA's libraries, from NVIDIA's packages or from PyPI:",
    "$ npm install koffi",
    "$ pip install nvidia-cuda-nvrtc nvidia-cublas nvidia-cudnn-cu13",
    "$ export MLSYS_CUDA_PATH=…        (that Python environment, unless it is active)",
  ],
};

/** Devices that `devices install` knows. */
export const INSTALLABLE: readonly string[] = ["tfjs", "webgpu", ...Object.keys(HINTS)];
