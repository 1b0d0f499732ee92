import Foundation
import Tensors

/// The angular frequencies of rotary positions, in float32 as Hugging Face computes them, and how far they reach.
///
/// Configurations written by transformers 5 say `rope_parameters`; older ones say `rope_theta` and `rope_scaling`. Where
/// both stand, `rope_scaling` counts and nothing of `rope_parameters` does, as in transformers.
struct RotaryParameters {
  let embedding: RotaryEmbedding
  /// For people: the fields that say nothing that transformers computes with, which warns of them.
  let notices: [String]
  /// How long a sequence may be for these frequencies to hold.
  let maximumPositions: Int

  /// The most values of a head that are rotated.
  static let largestSize = 1 << 16

  /// - Parameters:
  ///   - baseField: the older name of the base of the frequencies.
  ///   - shareField: the older name of the share of a head that is rotated; nil if it must be all of it.
  ///   - defaultShare: that share if the file does not say.
  /// - Throws: an `ErrataError` that names the field.
  init(
    _ configuration: Configuration, headSize: Int, baseField: String = "rope_theta", shareField: String? = nil,
    defaultShare: Double = 1, defaultMaximumPositions: Int = 2048
  ) throws {
    let fields = try RotaryFields(configuration)
    notices = fields.notices
    let share =
      try fields.number("partial_rotary_factor")
      ?? configuration.number(shareField ?? "partial_rotary_factor", default: defaultShare)
    let size = share > 0 && share <= 1 ? Int(Double(headSize) * share) : 0
    guard size >= 2, size % 2 == 0, size <= Self.largestSize, size == headSize || shareField != nil else {
      throw ErrataError.wrongField(
        configuration.path, shareField ?? "partial_rotary_factor",
        expected: shareField == nil ? "1" : "a share of the head that makes an even number of values",
        found: String(share))
    }
    let base = try fields.number("rope_theta") ?? configuration.number(baseField, default: 10000)
    guard base > 0 else {
      throw ErrataError.wrongField(
        configuration.path, baseField, expected: "a positive number", found: String(base))
    }
    let plain = Self.frequencies(base: base, size: size)
    var positions = try configuration.positiveInteger("max_position_embeddings", default: defaultMaximumPositions)
    var magnitude = 1.0
    let frequencies: [Float]
    switch try fields.kind() {
    case "default":
      frequencies = plain
    case "linear":
      let factor = try fields.required("factor")
      frequencies = plain.map { $0 / Float(factor) }
    case "dynamic":
      // Stretches sequences that are longer than the model's positions; none is taken.
      _ = try fields.required("factor")
      frequencies = plain
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
        configuration.path, "rope_scaling.rope_type", "'\(kind)'",
        supported: "default, linear, dynamic, llama3, yarn, longrope")
    }
    embedding = RotaryEmbedding(inverseFrequencies: frequencies, isInterleaved: false, magnitude: Float(magnitude))
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
    if try fields.boolean("truncate", default: true) { (low, high) = (low.rounded(.down), high.rounded(.up)) }
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

/// The fields of `rope_parameters`, or of `rope_scaling`.
private struct RotaryFields {
  let configuration: Configuration
  let name: String
  let object: JSON?

  private static let known: Set<ByteString> = [
    "rope_type", "type", "rope_theta", "partial_rotary_factor", "factor", "original_max_position_embeddings",
    "low_freq_factor", "high_freq_factor", "short_factor", "long_factor", "beta_fast", "beta_slow", "truncate",
    "attention_factor", "mscale", "mscale_all_dim", "finetuned",
  ]

  init(_ configuration: Configuration) throws {
    self.configuration = configuration
    // An empty object is none.
    let isScaled = configuration.value("rope_scaling").map { $0.objectValue?.count != 0 } ?? false
    name = isScaled || configuration.value("rope_parameters") == nil ? "rope_scaling" : "rope_parameters"
    object = configuration.value(name)
    if let object, object.objectValue == nil {
      throw ErrataError.wrongField(configuration.path, name, expected: "an object", found: object.kind)
    }
    // For example parameters by layer type, or by modality.
    for field in unknown where object![field]!.objectValue != nil {
      throw ErrataError.unsupportedSetting(
        configuration.path, "\(name).\(field)", object![field]!.kind,
        supported: Self.known.map(\.description).sorted().joined(separator: ", "))
    }
  }

  private var unknown: [ByteString] { object?.objectValue?.keys.filter { !Self.known.contains($0) } ?? [] }

  var notices: [String] {
    var notices: [String] = []
    if name == "rope_scaling", object != nil, configuration.value("rope_parameters") != nil {
      notices.append(
        "\(configuration.path): has both 'rope_scaling' and 'rope_parameters'; the first counts, as in transformers")
    }
    if !unknown.isEmpty {
      let fields = unknown.map { "'\(name).\($0)'" }.joined(separator: ", ")
      notices.append("\(configuration.path): \(fields) without effect, as in transformers")
    }
    return notices
  }

  private func value(_ field: String) -> JSON? {
    guard let value = object?[ByteString(field)], !value.isNull else { return nil }
    return value
  }

  private func wrong(_ field: String, expected: String, _ found: JSON) -> ErrataError {
    ErrataError.wrongField(configuration.path, "\(name).\(field)", expected: expected, found: found.kind)
  }

  func kind() throws -> String {
    guard let found = value("rope_type") ?? value("type") else { return "default" }
    guard let text = found.stringValue else { throw wrong("rope_type", expected: "a string", found) }
    return text
  }

  func number(_ field: String) throws -> Double? {
    guard let found = value(field) else { return nil }
    guard let number = found.doubleValue else { throw wrong(field, expected: "a number", found) }
    return number
  }

  func required(_ field: String) throws -> Double {
    guard let number = try number(field) else {
      throw ErrataError.missingField(configuration.path, "\(name).\(field)")
    }
    guard number > 0 else {
      throw ErrataError.wrongField(
        configuration.path, "\(name).\(field)", expected: "a positive number", found: String(number))
    }
    return number
  }

  func boolean(_ field: String, default defaultValue: Bool) throws -> Bool {
    guard let found = value(field) else { return defaultValue }
    guard let flag = found.boolValue else { throw wrong(field, expected: "true or false", found) }
    return flag
  }

  func numbers(_ field: String, count: Int) throws -> [Double] {
    guard let found = value(field) else {
      throw ErrataError.missingField(configuration.path, "\(name).\(field)")
    }
    guard let numbers = found.arrayValue?.compactMap(\.doubleValue), numbers.count == count,
      numbers.allSatisfy({ $0 > 0 })
    else { throw wrong(field, expected: "\(count) positive numbers", found) }
    return numbers
  }

  /// How long the sequences were that the model was trained on first; Phi-3 says it beside these fields, not in them.
  func originalPositions() throws -> Int {
    let field = "original_max_position_embeddings"
    if configuration.value(field) != nil { return try configuration.positiveInteger(field) }
    let number = try required(field)
    guard let count = Int(exactly: number), count < 1 << 31 else {
      throw ErrataError.wrongField(
        configuration.path, "\(name).\(field)", expected: "a positive integer", found: String(number))
    }
    return count
  }
}
