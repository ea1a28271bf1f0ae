// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name

/** `my_interfaces/srv/ConcatTwoStr_Request` */
export interface ConcatTwoStr_Request {
  str1: string;
  str2: string;
}

/** `my_interfaces/srv/ConcatTwoStr_Response` */
export interface ConcatTwoStr_Response {
  ret: string;
}

/**
 * `my_interfaces/srv/IrisData_Request`
 * In centimetres
 */
export interface IrisData_Request {
  /** (float32) */
  sepal_length: number;
  /** (float32) */
  sepal_width: number;
  /** (float32) */
  petal_length: number;
  /** (float32) */
  petal_width: number;
}

/**
 * `my_interfaces/srv/IrisData_Response`
 * fertilise, idle or prune
 */
export interface IrisData_Response {
  action: string;
}

/** `my_interfaces/action/MySum_Goal` */
export interface MySum_Goal {
  /** (int32) */
  list: Int32Array;
}

/** `my_interfaces/action/MySum_Result` */
export interface MySum_Result {
  /** (int32) */
  sum: number;
}

/** `my_interfaces/action/MySum_Feedback` */
export interface MySum_Feedback {
  /** (int32) */
  sum_so_far: number;
}

export interface Services {
  "my_interfaces/srv/ConcatTwoStr": { request: ConcatTwoStr_Request; response: ConcatTwoStr_Response };
  "my_interfaces/srv/IrisData": { request: IrisData_Request; response: IrisData_Response };
}

export interface Actions {
  "my_interfaces/action/MySum": { goal: MySum_Goal; result: MySum_Result; feedback: MySum_Feedback };
}

/** @internal */
export const texts = {
  "my_interfaces/srv/ConcatTwoStr": "string str1\nstring str2\n---\nstring ret",
  "my_interfaces/srv/IrisData":
    "float32 sepal_length\nfloat32 sepal_width\nfloat32 petal_length\nfloat32 petal_width\n---\nstring action",
  "my_interfaces/action/MySum": "int32[] list\n---\nint32 sum\n---\nint32 sum_so_far",
};
