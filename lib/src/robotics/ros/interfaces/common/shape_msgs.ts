// Made by common.test.ts from the packages' interface files (Apache License 2.0): change those.
// biome-ignore-all lint/suspicious/noShadowRestrictedNames: the names are ROS's
// biome-ignore-all lint/suspicious/noRedeclare: a message and its constants share a name
import type * as geometry_msgs from "./geometry_msgs.js";

/**
 * `shape_msgs/msg/Mesh`
 * Definition of a mesh.
 */
export interface Mesh {
  /** List of triangles; the index values refer to positions in vertices[]. */
  triangles: MeshTriangle[];
  /** The actual vertices that make up the mesh. */
  vertices: geometry_msgs.Point[];
}

/**
 * `shape_msgs/msg/MeshTriangle`
 * Definition of a triangle's vertices.
 */
export interface MeshTriangle {
  /** (uint32, 3 elements) */
  vertex_indices: Uint32Array;
}

/**
 * `shape_msgs/msg/Plane`
 * Representation of a plane, using the plane equation ax + by + cz + d = 0.
 *
 * a := coef[0]
 * b := coef[1]
 * c := coef[2]
 * d := coef[3]
 */
export interface Plane {
  /** (float64, 4 elements) */
  coef: Float64Array;
}

/**
 * `shape_msgs/msg/SolidPrimitive`
 * Defines box, sphere, cylinder, cone and prism.
 * All shapes are defined to have their bounding boxes centered around 0,0,0.
 */
export interface SolidPrimitive {
  /** The type of the shape (uint8) */
  type: number;
  /**
   * The dimensions of the shape
   * At no point will dimensions have a length > 3. (float64, at most 3 elements)
   */
  dimensions: Float64Array;
  polygon: geometry_msgs.Polygon;
}
/** Constants of `shape_msgs/msg/SolidPrimitive`. */
export const SolidPrimitive = {
  BOX: 1,
  SPHERE: 2,
  CYLINDER: 3,
  CONE: 4,
  PRISM: 5,
  /** For type BOX, the X, Y, and Z dimensions are the length of the corresponding sides of the box. */
  BOX_X: 0,
  BOX_Y: 1,
  BOX_Z: 2,
  /** For the SPHERE type, only one component is used, and it gives the radius of the sphere. */
  SPHERE_RADIUS: 0,
  CYLINDER_HEIGHT: 0,
  CYLINDER_RADIUS: 1,
  CONE_HEIGHT: 0,
  CONE_RADIUS: 1,
  PRISM_HEIGHT: 0,
} as const;

export interface Messages {
  "shape_msgs/msg/Mesh": Mesh;
  "shape_msgs/msg/MeshTriangle": MeshTriangle;
  "shape_msgs/msg/Plane": Plane;
  "shape_msgs/msg/SolidPrimitive": SolidPrimitive;
}

/** @internal */
export const texts = {
  "shape_msgs/msg/Mesh": "MeshTriangle[] triangles\ngeometry_msgs/Point[] vertices",
  "shape_msgs/msg/MeshTriangle": "uint32[3] vertex_indices",
  "shape_msgs/msg/Plane": "float64[4] coef",
  "shape_msgs/msg/SolidPrimitive":
    "uint8 BOX=1\nuint8 SPHERE=2\nuint8 CYLINDER=3\nuint8 CONE=4\nuint8 PRISM=5\nuint8 type\nfloat64[<=3] dimensions\nuint8 BOX_X=0\nuint8 BOX_Y=1\nuint8 BOX_Z=2\nuint8 SPHERE_RADIUS=0\nuint8 CYLINDER_HEIGHT=0\nuint8 CYLINDER_RADIUS=1\nuint8 CONE_HEIGHT=0\nuint8 CONE_RADIUS=1\nuint8 PRISM_HEIGHT=0\ngeometry_msgs/Polygon polygon",
};
