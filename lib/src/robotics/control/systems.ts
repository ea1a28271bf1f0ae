/** Systems that textbooks steer: written in tensors for derivatives and in numbers for speed; a test compares the two. */
import { ValueError } from "../../core/errors.js";
import type { Tensor } from "../../core/tensor.js";
import { stack } from "../../ops/shape.js";
import { System } from "./system.js";

const at = (x: Tensor, i: number): Tensor => x.slice(i);

/** @throws ValueError for a parameter that is not above 0 */
function checkPositive(where: string, parameters: Readonly<Record<string, number>>): void {
  for (const [name, value] of Object.entries(parameters))
    if (!(value > 0 && Number.isFinite(value)))
      throw new ValueError(`${where}: ${name} must be above 0, got ${value}`);
}

/**
 * A mass on a line: p̈ = u. States p (m), v (m/s); input a (m/s²).
 * @example control.doubleIntegrator().rate([0, 1], [2]) // [1, 2]
 */
export function doubleIntegrator(): System {
  return new System({
    name: "double integrator",
    states: ["p (m)", "v (m/s)"],
    inputs: ["a (m/s²)"],
    derivative: (x, u) => stack([at(x, 1), at(u, 0)]),
    fast: (x, u) => [x[1], u[0]],
  });
}

/**
 * A differential-drive robot: states x, y (m), θ (rad); inputs v (m/s), ω (rad/s).
 * @example control.unicycle().rate([0, 0, 0], [1, 0.5]) // [1, 0, 0.5]
 */
export function unicycle(): System {
  return new System({
    name: "unicycle",
    states: ["x (m)", "y (m)", "θ (rad)"],
    inputs: ["v (m/s)", "ω (rad/s)"],
    derivative: (x, u) => {
      const [theta, v, omega] = [at(x, 2), at(u, 0), at(u, 1)];
      return stack([v.mul(theta.cos()), v.mul(theta.sin()), omega]);
    },
    fast: (x, u) => [u[0] * Math.cos(x[2]), u[0] * Math.sin(x[2]), u[1]],
  });
}

/**
 * A car seen at its rear axle (kinematic bicycle): states x, y (m), θ (rad), v (m/s); inputs a (m/s²), steering angle δ
 * (rad).
 * @param wheelbase distance of the axles, m
 * @example control.bicycle({ wheelbase: 2 }).rate([0, 0, 0, 4], [0, Math.atan(0.5)]) // [4, 0, 1, 0]
 */
export function bicycle({ wheelbase = 2.7 }: { readonly wheelbase?: number } = {}): System {
  checkPositive("bicycle", { wheelbase });
  return new System({
    name: "bicycle",
    states: ["x (m)", "y (m)", "θ (rad)", "v (m/s)"],
    inputs: ["a (m/s²)", "δ (rad)"],
    derivative: (x, u) => {
      const [theta, v] = [at(x, 2), at(x, 3)];
      return stack([v.mul(theta.cos()), v.mul(theta.sin()), v.mul(at(u, 1).tan()).div(wheelbase), at(u, 0)]);
    },
    fast: (x, u) => [x[3] * Math.cos(x[2]), x[3] * Math.sin(x[2]), (x[3] * Math.tan(u[1])) / wheelbase, u[0]],
  });
}

export interface PendulumOptions {
  /** kg. Default 1. */
  readonly mass?: number;
  /** m; the mass is a point at the end. Default 1. */
  readonly length?: number;
  /** N·m·s: friction of the joint. Default 0. */
  readonly damping?: number;
  /** m/s². Default 9.81. */
  readonly gravity?: number;
}

/**
 * An inverted pendulum: θ = 0 is upright. States θ (rad), ω (rad/s); input torque τ (N·m).
 * ω̇ = (g/l)·sin θ + (τ − b·ω)/(m·l²).
 * @example control.pendulum({ mass: 1, length: 1 }).rate([0, 0], [2]) // [0, 2]
 */
export function pendulum({
  mass = 1,
  length = 1,
  damping = 0,
  gravity = 9.81,
}: PendulumOptions = {}): System {
  checkPositive("pendulum", { mass, length, gravity });
  const inertia = mass * length * length;
  return new System({
    name: "pendulum",
    states: ["θ (rad)", "ω (rad/s)"],
    inputs: ["τ (N·m)"],
    derivative: (x, u) => {
      const omega = at(x, 1);
      const torque = at(u, 0).sub(omega.mul(damping));
      return stack([
        omega,
        at(x, 0)
          .sin()
          .mul(gravity / length)
          .add(torque.div(inertia)),
      ]);
    },
    fast: (x, u) => [x[1], (gravity / length) * Math.sin(x[0]) + (u[0] - damping * x[1]) / inertia],
  });
}

export interface CartPoleOptions {
  /** kg. Default 1. */
  readonly cart?: number;
  /** kg, a point at the pole's end. Default 0.1. */
  readonly pole?: number;
  /** m. Default 0.5. */
  readonly length?: number;
  /** m/s². Default 9.81. */
  readonly gravity?: number;
}

/**
 * A pole on a cart: θ = 0 is upright. States p (m), θ (rad), v (m/s), ω (rad/s); input force F (N).
 * p̈ = (F + m·sin θ·(l·ω² − g·cos θ))/(M + m·sin²θ), θ̈ = ((M+m)·g·sin θ − cos θ·(F + m·l·ω²·sin θ))/(l·(M + m·sin²θ)).
 * @example control.cartPole({ cart: 1, pole: 0.1, length: 0.5 }).rate([0, 0, 0, 0], [1]) // [0, 0, 1, -2]
 */
export function cartPole({
  cart = 1,
  pole = 0.1,
  length = 0.5,
  gravity = 9.81,
}: CartPoleOptions = {}): System {
  checkPositive("cartPole", { cart, pole, length, gravity });
  return new System({
    name: "cart-pole",
    states: ["p (m)", "θ (rad)", "v (m/s)", "ω (rad/s)"],
    inputs: ["F (N)"],
    derivative: (x, u) => {
      const [theta, omega, force] = [at(x, 1), at(x, 3), at(u, 0)];
      const [sin, cos] = [theta.sin(), theta.cos()];
      const inertia = sin.square().mul(pole).add(cart);
      const swing = omega.square().mul(length);
      const push = force.add(sin.mul(pole).mul(swing.sub(cos.mul(gravity))));
      const turn = sin.mul((cart + pole) * gravity).sub(cos.mul(force.add(sin.mul(pole).mul(swing))));
      return stack([at(x, 2), omega, push.div(inertia), turn.div(inertia.mul(length))]);
    },
    fast: (x, u) => {
      const [sin, cos] = [Math.sin(x[1]), Math.cos(x[1])];
      const inertia = cart + pole * sin * sin;
      const swing = length * x[3] * x[3];
      return [
        x[2],
        x[3],
        (u[0] + pole * sin * (swing - gravity * cos)) / inertia,
        ((cart + pole) * gravity * sin - cos * (u[0] + pole * sin * swing)) / (inertia * length),
      ];
    },
  });
}

export interface QuadrotorOptions {
  /** kg. Default 0.5. */
  readonly mass?: number;
  /** kg·m². Default 0.01. */
  readonly inertia?: number;
  /** m: from the middle to a rotor. Default 0.2. */
  readonly arm?: number;
  /** m/s². Default 9.81. */
  readonly gravity?: number;
}

/**
 * A quadrotor in a vertical plane: states x, z (m), θ (rad), vx, vz (m/s), ω (rad/s); inputs the thrusts of the two
 * sides (N). It hovers with m·g/2 on each.
 * @example control.quadrotor2d({ mass: 1, gravity: 10 }).rate([0, 0, 0, 0, 0, 0], [5, 5]) // [0, 0, 0, 0, 0, 0]
 */
export function quadrotor2d({
  mass = 0.5,
  inertia = 0.01,
  arm = 0.2,
  gravity = 9.81,
}: QuadrotorOptions = {}): System {
  checkPositive("quadrotor2d", { mass, inertia, arm, gravity });
  return new System({
    name: "planar quadrotor",
    states: ["x (m)", "z (m)", "θ (rad)", "vx (m/s)", "vz (m/s)", "ω (rad/s)"],
    inputs: ["right thrust (N)", "left thrust (N)"],
    derivative: (x, u) => {
      const theta = at(x, 2);
      const [right, left] = [at(u, 0), at(u, 1)];
      const lift = right.add(left).div(mass);
      return stack([
        at(x, 3),
        at(x, 4),
        at(x, 5),
        lift.mul(theta.sin()).neg(),
        lift.mul(theta.cos()).sub(gravity),
        right.sub(left).mul(arm / inertia),
      ]);
    },
    fast: (x, u) => {
      const lift = (u[0] + u[1]) / mass;
      return [
        x[3],
        x[4],
        x[5],
        -lift * Math.sin(x[2]),
        lift * Math.cos(x[2]) - gravity,
        ((u[0] - u[1]) * arm) / inertia,
      ];
    },
  });
}
