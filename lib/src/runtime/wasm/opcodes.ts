/**
 * The WebAssembly instructions that kernels use: name → encoding and signature. One row each; the assembler's types
 * follow from the signatures, so that `op("f32x4.add", a, b)` checks its operands when TypeScript compiles.
 * Letters: i = i32, l = i64, f = f32, d = f64, v = v128; operands before ">", result behind.
 */

export type ValueType = "i32" | "i64" | "f32" | "f64" | "v128";

interface Row<S extends string = string> {
  /** Prefix byte (0: none), then the opcode. */
  readonly code: readonly [prefix: number, opcode: number];
  readonly signature: S;
  /** One lane index follows the opcode. */
  readonly lane?: boolean;
}

const plain = <S extends string>(opcode: number, signature: S): Row<S> => ({ code: [0, opcode], signature });
const simd = <S extends string>(opcode: number, signature: S): Row<S> => ({
  code: [0xfd, opcode],
  signature,
});
const lane = <S extends string>(opcode: number, signature: S): Row<S> => ({
  code: [0xfd, opcode],
  signature,
  lane: true,
});
const atomic = <S extends string>(opcode: number, signature: S): Row<S> => ({
  code: [0xfe, opcode],
  signature,
});

export const OPS = {
  "i32.eqz": plain(0x45, "i>i"),
  "i32.eq": plain(0x46, "ii>i"),
  "i32.ne": plain(0x47, "ii>i"),
  "i32.lt_s": plain(0x48, "ii>i"),
  "i32.lt_u": plain(0x49, "ii>i"),
  "i32.gt_s": plain(0x4a, "ii>i"),
  "i32.gt_u": plain(0x4b, "ii>i"),
  "i32.le_s": plain(0x4c, "ii>i"),
  "i32.le_u": plain(0x4d, "ii>i"),
  "i32.ge_s": plain(0x4e, "ii>i"),
  "i32.ge_u": plain(0x4f, "ii>i"),
  "i32.add": plain(0x6a, "ii>i"),
  "i32.sub": plain(0x6b, "ii>i"),
  "i32.mul": plain(0x6c, "ii>i"),
  "i32.div_s": plain(0x6d, "ii>i"),
  "i32.div_u": plain(0x6e, "ii>i"),
  "i32.rem_s": plain(0x6f, "ii>i"),
  "i32.rem_u": plain(0x70, "ii>i"),
  "i32.and": plain(0x71, "ii>i"),
  "i32.or": plain(0x72, "ii>i"),
  "i32.xor": plain(0x73, "ii>i"),
  "i32.shl": plain(0x74, "ii>i"),
  "i32.shr_s": plain(0x75, "ii>i"),
  "i32.shr_u": plain(0x76, "ii>i"),
  "f32.eq": plain(0x5b, "ff>i"),
  "f32.ne": plain(0x5c, "ff>i"),
  "f32.lt": plain(0x5d, "ff>i"),
  "f32.gt": plain(0x5e, "ff>i"),
  "f32.le": plain(0x5f, "ff>i"),
  "f32.ge": plain(0x60, "ff>i"),
  "f64.eq": plain(0x61, "dd>i"),
  "f64.ne": plain(0x62, "dd>i"),
  "f64.lt": plain(0x63, "dd>i"),
  "f64.gt": plain(0x64, "dd>i"),
  "f64.le": plain(0x65, "dd>i"),
  "f64.ge": plain(0x66, "dd>i"),
  "f32.abs": plain(0x8b, "f>f"),
  "f32.neg": plain(0x8c, "f>f"),
  "f32.sqrt": plain(0x91, "f>f"),
  "f32.add": plain(0x92, "ff>f"),
  "f32.sub": plain(0x93, "ff>f"),
  "f32.mul": plain(0x94, "ff>f"),
  "f32.div": plain(0x95, "ff>f"),
  "f32.min": plain(0x96, "ff>f"),
  "f32.max": plain(0x97, "ff>f"),
  "f64.abs": plain(0x99, "d>d"),
  "f64.neg": plain(0x9a, "d>d"),
  "f64.sqrt": plain(0x9f, "d>d"),
  "f64.add": plain(0xa0, "dd>d"),
  "f64.sub": plain(0xa1, "dd>d"),
  "f64.mul": plain(0xa2, "dd>d"),
  "f64.div": plain(0xa3, "dd>d"),
  "f64.min": plain(0xa4, "dd>d"),
  "f64.max": plain(0xa5, "dd>d"),
  "f32.convert_i32_s": plain(0xb2, "i>f"),
  "f32.demote_f64": plain(0xb6, "d>f"),
  "f64.convert_i32_s": plain(0xb7, "i>d"),
  "f64.promote_f32": plain(0xbb, "f>d"),
  "v128.not": simd(77, "v>v"),
  "v128.and": simd(78, "vv>v"),
  "v128.andnot": simd(79, "vv>v"),
  "v128.or": simd(80, "vv>v"),
  "v128.xor": simd(81, "vv>v"),
  "v128.bitselect": simd(82, "vvv>v"),
  "v128.any_true": simd(83, "v>i"),
  "i8x16.splat": simd(15, "i>v"),
  "i8x16.swizzle": simd(14, "vv>v"),
  "i8x16.narrow_i16x8_u": simd(102, "vv>v"),
  "i16x8.narrow_i32x4_u": simd(134, "vv>v"),
  "i16x8.shl": simd(139, "vi>v"),
  "i16x8.shr_s": simd(140, "vi>v"),
  "i16x8.shr_u": simd(141, "vi>v"),
  "i32x4.dot_i16x8_s": simd(186, "vv>v"),
  "i16x8.splat": simd(16, "i>v"),
  "i16x8.sub": simd(145, "vv>v"),
  "i16x8.extend_high_i8x16_s": simd(136, "v>v"),
  "i16x8.extend_high_i8x16_u": simd(138, "v>v"),
  "i16x8.extend_low_i8x16_s": simd(135, "v>v"),
  "i16x8.extend_low_i8x16_u": simd(137, "v>v"),
  "i32x4.extend_low_i16x8_s": simd(167, "v>v"),
  "i32x4.extend_low_i16x8_u": simd(169, "v>v"),
  "i64x2.extend_low_i32x4_s": simd(199, "v>v"),
  "i64x2.extend_high_i32x4_s": simd(200, "v>v"),
  "i32x4.splat": simd(17, "i>v"),
  "i32x4.extract_lane": lane(27, "v>i"),
  "i32x4.replace_lane": lane(28, "vi>v"),
  "i32x4.all_true": simd(163, "v>i"),
  "i32x4.bitmask": simd(164, "v>i"),
  "i32x4.eq": simd(55, "vv>v"),
  "i32x4.ne": simd(56, "vv>v"),
  "i32x4.lt_s": simd(57, "vv>v"),
  "i32x4.gt_s": simd(59, "vv>v"),
  "i32x4.le_s": simd(61, "vv>v"),
  "i32x4.ge_s": simd(63, "vv>v"),
  "i32x4.abs": simd(160, "v>v"),
  "i32x4.neg": simd(161, "v>v"),
  "i32x4.shl": simd(171, "vi>v"),
  "i32x4.shr_s": simd(172, "vi>v"),
  "i32x4.shr_u": simd(173, "vi>v"),
  "i32x4.add": simd(174, "vv>v"),
  "i32x4.sub": simd(177, "vv>v"),
  "i32x4.mul": simd(181, "vv>v"),
  "i32x4.min_s": simd(182, "vv>v"),
  "i32x4.max_s": simd(184, "vv>v"),
  "i64x2.splat": simd(18, "l>v"),
  "i64x2.shl": simd(203, "vi>v"),
  "i64x2.shr_s": simd(204, "vi>v"),
  "i64x2.shr_u": simd(205, "vi>v"),
  "i64x2.add": simd(206, "vv>v"),
  "i64x2.sub": simd(209, "vv>v"),
  "f32x4.splat": simd(19, "f>v"),
  "f32x4.extract_lane": lane(31, "v>f"),
  "f32x4.replace_lane": lane(32, "vf>v"),
  "f32x4.eq": simd(65, "vv>v"),
  "f32x4.ne": simd(66, "vv>v"),
  "f32x4.lt": simd(67, "vv>v"),
  "f32x4.gt": simd(68, "vv>v"),
  "f32x4.le": simd(69, "vv>v"),
  "f32x4.ge": simd(70, "vv>v"),
  "f32x4.ceil": simd(103, "v>v"),
  "f32x4.floor": simd(104, "v>v"),
  "f32x4.trunc": simd(105, "v>v"),
  "f32x4.nearest": simd(106, "v>v"),
  "f32x4.abs": simd(224, "v>v"),
  "f32x4.neg": simd(225, "v>v"),
  "f32x4.sqrt": simd(227, "v>v"),
  "f32x4.add": simd(228, "vv>v"),
  "f32x4.sub": simd(229, "vv>v"),
  "f32x4.mul": simd(230, "vv>v"),
  "f32x4.div": simd(231, "vv>v"),
  "f32x4.min": simd(232, "vv>v"),
  "f32x4.max": simd(233, "vv>v"),
  "f32x4.pmin": simd(234, "vv>v"),
  "f32x4.pmax": simd(235, "vv>v"),
  "f32x4.convert_i32x4_s": simd(250, "v>v"),
  "f32x4.demote_f64x2_zero": simd(94, "v>v"),
  "i32x4.trunc_sat_f32x4_s": simd(248, "v>v"),
  "i32x4.trunc_sat_f64x2_s_zero": simd(252, "v>v"),
  "f64x2.splat": simd(20, "d>v"),
  "f64x2.extract_lane": lane(33, "v>d"),
  "f64x2.replace_lane": lane(34, "vd>v"),
  "f64x2.eq": simd(71, "vv>v"),
  "f64x2.ne": simd(72, "vv>v"),
  "f64x2.lt": simd(73, "vv>v"),
  "f64x2.gt": simd(74, "vv>v"),
  "f64x2.le": simd(75, "vv>v"),
  "f64x2.ge": simd(76, "vv>v"),
  "f64x2.ceil": simd(116, "v>v"),
  "f64x2.floor": simd(117, "v>v"),
  "f64x2.trunc": simd(122, "v>v"),
  "f64x2.nearest": simd(148, "v>v"),
  "f64x2.abs": simd(236, "v>v"),
  "f64x2.neg": simd(237, "v>v"),
  "f64x2.sqrt": simd(239, "v>v"),
  "f64x2.add": simd(240, "vv>v"),
  "f64x2.sub": simd(241, "vv>v"),
  "f64x2.mul": simd(242, "vv>v"),
  "f64x2.div": simd(243, "vv>v"),
  "f64x2.min": simd(244, "vv>v"),
  "f64x2.max": simd(245, "vv>v"),
  "f64x2.convert_low_i32x4_s": simd(254, "v>v"),
  "f64x2.promote_low_f32x4": simd(95, "v>v"),
  "f32x4.relaxed_madd": simd(0x105, "vvv>v"),
  "f32x4.relaxed_nmadd": simd(0x106, "vvv>v"),
  "f64x2.relaxed_madd": simd(0x107, "vvv>v"),
  "f64x2.relaxed_nmadd": simd(0x108, "vvv>v"),
} as const;

/** Loads: the operand is the address; a constant offset is encoded. */
export const LOADS = {
  "i32.load": plain(0x28, "i>i"),
  "f32.load": plain(0x2a, "i>f"),
  "f64.load": plain(0x2b, "i>d"),
  "i32.load8_s": plain(0x2c, "i>i"),
  "i32.load8_u": plain(0x2d, "i>i"),
  "i32.load16_s": plain(0x2e, "i>i"),
  "v128.load": simd(0, "i>v"),
  "v128.load8x8_s": simd(1, "i>v"),
  "v128.load8_splat": simd(7, "i>v"),
  "v128.load16_splat": simd(8, "i>v"),
  "v128.load32_splat": simd(9, "i>v"),
  "v128.load64_splat": simd(10, "i>v"),
  "v128.load32_zero": simd(92, "i>v"),
  "v128.load64_zero": simd(93, "i>v"),
  "i32.atomic.load": atomic(0x10, "i>i"),
} as const;

/** Stores: address and value; lane stores take a lane index too. */
export const STORES = {
  "i32.store": plain(0x36, "ii>"),
  "f32.store": plain(0x38, "if>"),
  "f64.store": plain(0x39, "id>"),
  "i32.store8": plain(0x3a, "ii>"),
  "i32.store16": plain(0x3b, "ii>"),
  "v128.store": simd(11, "iv>"),
  "v128.store8_lane": lane(88, "iv>"),
  "v128.store16_lane": lane(89, "iv>"),
  "v128.store32_lane": lane(90, "iv>"),
  "v128.store64_lane": lane(91, "iv>"),
  "i32.atomic.store": atomic(0x17, "ii>"),
} as const;

/** log2 of the bytes that a memory instruction touches; the encoded alignment of atomics must equal it. */
export const NATURAL_ALIGNMENT: Partial<Record<string, number>> = {
  "i32.atomic.load": 2,
  "i32.atomic.store": 2,
};

type Letters = { i: "i32"; l: "i64"; f: "f32"; d: "f64"; v: "v128" };
type LettersToTypes<S extends string> = S extends `${infer H extends keyof Letters}${infer T}`
  ? [Letters[H], ...LettersToTypes<T>]
  : [];

/** Types of the operands of a signature. */
export type OperandsOf<S extends string> = S extends `${infer In}>${string}` ? LettersToTypes<In> : never;
/** Type of the result. */
export type ResultOf<S extends string> = S extends `${string}>${infer Out extends keyof Letters}`
  ? Letters[Out]
  : never;
