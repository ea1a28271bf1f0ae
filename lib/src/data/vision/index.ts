/** Images: reading them, and operations on their pixels. */
export { type DecodeOptions, decodeImage, encodeImage } from "./codec.js";
export {
  centerCrop,
  crop,
  flipHorizontal,
  flipVertical,
  padImage,
  type RandomKey,
  type RotateOptions,
  randomCrop,
  randomHorizontalFlip,
  randomRotation,
  randomVerticalFlip,
  rotate,
} from "./geometry.js";
export type { Image } from "./image.js";
export { type FolderImage, ImageFolder, imageFolder } from "./image-folder.js";
export { type Interpolation, resize } from "./resize.js";
export { chw2hwc, type FloatImage, hwc2chw, normalize, oneHotLabel } from "./values.js";
