import Foundation
import Tensors
import WeightPatch

/// What `adapter_config.json` says of a PEFT adapter (peft, `LoraConfig`): the scale of each module, and that there is
/// nothing beside the factors.
struct PEFTConfiguration {
  private let path: String
  private let fields: JSONObject
  private let alpha: Double
  private let isRankStabilized: Bool
  /// In the order of the file; the first that fits counts.
  private let alphaPattern: [(pattern: ByteString, alpha: Double)]
  let targetModules: [String]

  /// - Throws: an `ErrataError` if the file cannot be read, or asks for what factors beside the weights cannot say.
  init(contentsOf path: String) throws {
    self.path = path
    guard let fields = try JSON.parse(contentsOf: path).objectValue else {
      throw ErrataError.adapterField(path, "adapter_config.json", expected: "an object")
    }
    self.fields = fields
    func value(_ name: ByteString) -> JSON? { fields[name].flatMap { $0.isNull ? nil : $0 } }
    func flag(_ name: ByteString) throws -> Bool {
      guard let value = value(name) else { return false }
      guard let flag = value.boolValue else {
        throw ErrataError.adapterField(path, name.description, expected: "true or false")
      }
      return flag
    }
    let type = value("peft_type")?.stringValue
    guard type == "LORA" else {
      throw ErrataError.adapterUnsupported(path, "its 'peft_type' is '\(type ?? "missing")', not LORA")
    }
    if try flag("use_dora") {
      throw ErrataError.adapterUnsupported(path, "'use_dora': it normalizes the weights too (DoRA)")
    }
    if try flag("lora_bias") { throw ErrataError.adapterUnsupported(path, "'lora_bias': its factors have biases") }
    if let bias = value("bias"), bias.stringValue != "none" {
      throw ErrataError.adapterUnsupported(path, "'bias': it changes biases")
    }
    for name: ByteString in ["modules_to_save", "trainable_token_indices", "target_parameters", "megatron_config"] {
      if let value = value(name), value.arrayValue?.isEmpty != true, value.objectValue?.count != 0 {
        let what =
          name == "modules_to_save" ? "it has whole modules of its own" : "it changes more than linear maps of blocks"
        throw ErrataError.adapterUnsupported(path, "'\(name)': \(what)")
      }
    }
    isRankStabilized = try flag("use_rslora")
    alpha = try Self.number(value("lora_alpha") ?? 8, "lora_alpha", path)
    alphaPattern = try (value("alpha_pattern")?.objectValue?.members ?? []).map { pattern, value in
      // PEFT takes regular expressions; what is meant is names, and a hostile expression takes forever.
      let isName = pattern.bytes.allSatisfy { byte in
        let character = Character(UnicodeScalar(byte))
        return character.isASCII && (character.isLetter || character.isNumber || "._-\\^$".contains(character))
      }
      guard isName else {
        throw ErrataError.adapterField(
          path, "alpha_pattern", expected: "one of modules' names; write them in place of '\(pattern)'")
      }
      return (pattern, try Self.number(value, "alpha_pattern", path))
    }
    targetModules = (value("target_modules")?.arrayValue ?? []).compactMap(\.stringValue)
  }

  private static func number(_ value: JSON, _ name: String, _ path: String) throws -> Double {
    guard let number = value.doubleValue, number.isFinite else {
      throw ErrataError.adapterField(path, name, expected: "a number")
    }
    return number
  }

  /// What the product of a module's factors is multiplied by: alpha / r, or alpha / sqrt(r) (rsLoRA).
  ///
  /// - Parameter module: its name without what PEFT puts before it.
  func scale(of module: String, rank: Int) -> Double {
    let alpha = alphaPattern.first { Self.fits($0.pattern.description, module) }?.alpha ?? alpha
    return isRankStabilized ? alpha / Double(rank).squareRoot() : alpha / Double(rank)
  }

  /// Its own words on rank and scale.
  func describe(in record: inout Manifest.Adapter) {
    record.alpha = alpha
    record.rank = fields["r"]?.integerValue
    record.isRankStabilized = isRankStabilized
  }

  /// Whether a pattern is a module's name or its last parts, as PEFT's `get_pattern_key` has it.
  private static func fits(_ pattern: String, _ module: String) -> Bool {
    let isWhole = pattern.hasPrefix("^")
    let name = pattern.filter { !"\\^$".contains($0) }
    return module == name || !isWhole && module.hasSuffix("." + name)
  }
}
