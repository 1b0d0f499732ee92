import Foundation
import Tensors

/// The angular frequencies of rotary positions, in float32 as Hugging Face computes them, and how far they reach.
///
/// Configurations written by transformers 5 say `rope_parameters`; older ones say `rope_theta` and `rope_scaling`.
/// Where both stand, `rope_scaling` counts and nothing of `rope_parameters` does, as in transformers.
struct RotaryParameters {
  let embedding: RotaryEmbedding
  /// For people: the fields that say nothing that transformers computes with, which warns of them.
  let notices: [String]
  /// How long a sequence may be for these frequencies to hold.
  let maximumPositions: Int

  /// The most values of a head that are rotated.
  static let largestSize = 1 << 16

  /// What a family's configuration says of its rotary positions, and what it leaves unsaid.
  struct Options {
    /// The older name of the base of the frequencies.
    var baseField = "rope_theta"
    var defaultBase = 10000.0
    /// The older name of the share of a head that is rotated; nil if it must be all of it.
    var shareField: String?
    var defaultShare = 1.0
    var defaultMaximumPositions = 2048
    var isInterleaved = false
    /// The fields that stand for a file without any of them.
    var defaults: JSON?
    /// Fields that only this family's configurations have, or that say nothing of text.
    var ownFields: Set<ByteString> = []
  }

  /// - Parameter layerType: for a family that has parameters for each type of layer, the type.
  /// - Throws: an `ErrataError` that names the field.
  init(
    _ configuration: Configuration, headSize: Int, options: Options = Options(), layerType: String? = nil
  ) throws {
    let fields = try RotaryFields(configuration, options, layerType: layerType)
    notices = fields.notices
    let kind = try fields.kind()
    let shareField = options.shareField ?? "partial_rotary_factor"
    let share =
      try fields.number("partial_rotary_factor") ?? configuration.number(shareField, default: options.defaultShare)
    // Proportional parameters rotate a share of the pairs of the whole head.
    let isShareOfPairs = kind == "proportional"
    let size = share > 0 && share <= 1 ? isShareOfPairs ? headSize : Int(Double(headSize) * share) : 0
    guard size >= 2, size % 2 == 0, size <= Self.largestSize, size == headSize || options.shareField != nil else {
      throw ErrataError.wrongField(
        configuration.path, configuration.name(shareField),
        expected: options.shareField == nil ? "1" : "a share of the head that makes an even number of values",
        found: String(share))
    }
    let base =
      try fields.number("rope_theta") ?? configuration.number(options.baseField, default: options.defaultBase)
    guard base > 0 else {
      throw ErrataError.wrongField(
        configuration.path, configuration.name(options.baseField), expected: "a positive number", found: String(base))
    }
    let plain = Self.frequencies(base: base, size: size)
    var positions = try configuration.positiveInteger(
      "max_position_embeddings", default: options.defaultMaximumPositions)
    var magnitude = 1.0
    let frequencies: [Float]
    switch kind {
    case "default":
      frequencies = plain
    case "linear":
      let factor = try fields.required("factor")
      frequencies = plain.map { $0 / Float(factor) }
    case "proportional":
      let factor = try fields.number("factor") ?? 1
      let rotated = Int(share * Double(headSize) / 2)
      frequencies = plain.enumerated().map { $0 < rotated ? $1 / Float(factor) : 0 }
    case "dynamic":
      if options.ownFields.contains("alpha"), let alpha = try fields.number("alpha"), alpha != 0 {
        // Hunyuan's own form: another base.
        frequencies = Self.frequencies(base: base * pow(alpha, Double(size) / Double(size - 2)), size: size)
      } else {
        // Stretches sequences that are longer than the model's positions; none is taken.
        _ = try fields.required("factor")
        frequencies = plain
      }
    case "llama3":
      frequencies = Self.scaledForLlama3(
        plain, factor: try fields.required("factor"), lowFrequencyFactor: try fields.required("low_freq_factor"),
        highFrequencyFactor: try fields.required("high_freq_factor"),
        originalPositions: Double(try fields.originalPositions()))
    case "yarn":
      (frequencies, magnitude) = try Self.scaledForYarn(plain, base: base, size: size, fields, positions: positions)
    case "longrope", "su":
      // There is a second set of frequencies for sequences longer than the original positions.
      let original = try fields.originalPositions()
      (frequencies, magnitude) = try Self.scaledForLongRope(
        plain, fields, positions: positions, originalPositions: original)
      positions = min(positions, original)
    case let kind:
      throw ErrataError.unsupportedSetting(
        configuration.path, fields.name("rope_type"), "'\(kind)'",
        supported: "default, linear, proportional, dynamic, llama3, yarn, longrope")
    }
    var embedding = RotaryEmbedding(
      inverseFrequencies: frequencies, isInterleaved: options.isInterleaved, magnitude: Float(magnitude))
    if options.ownFields.contains("llama_4_scaling_beta"), let beta = try fields.number("llama_4_scaling_beta") {
      embedding.queryScaling = .init(beta: beta, period: try fields.originalPositions())
    }
    self.embedding = embedding
    maximumPositions = positions
  }

  /// base^(-2i / size), one per pair of values.
  static func frequencies(base: Double, size: Int) -> [Float] {
    (0..<size / 2).map { 1 / Float(pow(base, Double(2 * $0) / Double(size))) }
  }

  /// Llama 3.1's scaling: long wavelengths are stretched by `factor`, short ones kept, those between blended.
  private static func scaledForLlama3(
    _ frequencies: [Float], factor: Double, lowFrequencyFactor: Double, highFrequencyFactor: Double,
    originalPositions: Double
  ) -> [Float] {
    frequencies.map { frequency in
      let wavelength = 2 * Double.pi / Double(frequency)
      if wavelength > originalPositions / lowFrequencyFactor { return frequency / Float(factor) }
      if wavelength < originalPositions / highFrequencyFactor { return frequency }
      let blend = (originalPositions / wavelength - lowFrequencyFactor) / (highFrequencyFactor - lowFrequencyFactor)
      return Float((1 - blend) * Double(frequency) / factor + blend * Double(frequency))
    }
  }

  /// YaRN (Peng et al. 2023): a ramp over the pairs between kept and stretched frequencies, and a factor on the scores.
  private static func scaledForYarn(
    _ frequencies: [Float], base: Double, size: Int, _ fields: RotaryFields, positions: Int
  ) throws -> ([Float], magnitude: Double) {
    let original = Double(try fields.originalPositions())
    let factor = try fields.number("factor") ?? Double(positions) / original
    func pair(rotations: Double) -> Double {
      Double(size) * log(original / (rotations * 2 * Double.pi)) / (2 * log(base))
    }
    var low = pair(rotations: try fields.number("beta_fast") ?? 32)
    var high = pair(rotations: try fields.number("beta_slow") ?? 1)
    // Of nested parameters transformers never reads it.
    if try fields.layerType != nil || fields.boolean("truncate", default: true) {
      (low, high) = (low.rounded(.down), high.rounded(.up))
    }
    (low, high) = (max(low, 0), min(high, Double(size - 1)))
    if low == high { high += 0.001 }
    let scaled = frequencies.enumerated().map { index, frequency in
      let ramp = Float(min(max((Double(index) - low) / (high - low), 0), 1))
      return frequency / Float(factor) * ramp + frequency * (1 - ramp)
    }
    func magnitude(_ scale: Double) -> Double { factor <= 1 ? 1 : 0.1 * scale * log(factor) + 1 }
    if let given = try fields.number("attention_factor") { return (scaled, given) }
    if let scale = try fields.number("mscale"), let all = try fields.number("mscale_all_dim"), scale != 0, all != 0 {
      return (scaled, magnitude(scale) / magnitude(all))
    }
    return (scaled, magnitude(1))
  }

  /// LongRoPE (Ding et al. 2024), for sequences within the original positions: a factor for each frequency, and one on
  /// the scores.
  private static func scaledForLongRope(
    _ frequencies: [Float], _ fields: RotaryFields, positions: Int, originalPositions: Int
  ) throws -> ([Float], magnitude: Double) {
    let factors = try fields.numbers("short_factor", count: frequencies.count)
    let scaled = zip(frequencies, factors).map { $0 / Float($1) }
    if let given = try fields.number("attention_factor") { return (scaled, given) }
    let factor = try fields.number("factor") ?? Double(positions) / Double(originalPositions)
    return (scaled, factor <= 1 ? 1 : (1 + log(factor) / log(Double(originalPositions))).squareRoot())
  }
}
