import Tensors
import Transformer

/// Settings in the files of the reference implementations: JSON of rome, memit and unified-model-editing, YAML of
/// EasyEdit.
///
/// Every field is used, checked against what Errata does, or named in a notice; none is dropped silently.
public struct HyperparameterFile: Sendable {
  public let path: String
  /// The method that the file is for: `alg_name`, or else told by the fields that only one method has.
  public let method: EditMethod?
  private let fields: JSONObject

  /// What says how the reference implementations load, place and measure things, and changes nothing here. The second
  /// moments come from `--stats`, the model's modules from `config.json`.
  private static let withoutEffect: Set<ByteString> = [
    "model_name", "stats_dir", "device", "model_parallel", "fp16", "batch_size", "max_length", "mom2_dataset",
    "mom2_n_samples", "mom2_dtype", "layer_module_tmp", "mlp_module_tmp", "attn_module_tmp", "ln_f_module",
    "lm_head_module", "calculate_objective_value", "dynamic_multiplier", "sequential_edit",
  ]

  private static let used: Set<ByteString> = [
    "alg_name", "layers", "clamp_norm_factor", "v_num_grad_steps", "v_lr", "v_weight_decay", "kl_factor",
    "mom2_update_weight", "emmet_lambda",
  ]

  /// Switches of other algorithms that must be off.
  private static let switchedOff: [ByteString] = [
    "update_norm_lambda", "norm_control", "prob_cutoff", "bias_update", "dynamic",
  ]

  private static let checked: Set<ByteString> = [
    "layer_selection", "fact_token", "v_loss_layer", "rewrite_module_tmp", "mom2_adjustment",
    "context_template_length_params",
  ]

  /// Those that are published have less than 1 KB.
  private static let maximumLength = 1 << 20

  /// - Throws: a usage error if the file holds a field that is not known, or is for another method; damaged input if it
  ///   is longer or nested more deeply than settings can be.
  public init(contentsOf path: String) throws {
    self.path = path
    let file = try MappedFile(path: path)
    fields = try withExtendedLifetime(file) { try Self.fields(file.bytes, path) }
    guard !fields.members.isEmpty else { throw ErrataError.hyperparameters(path, "holds no fields") }
    // First of all, since another method has other fields.
    method = try Self.method(fields, path)
    let known = Self.withoutEffect.union(Self.used).union(Self.switchedOff).union(Self.checked)
    let unknown = fields.keys.filter { !known.contains($0) }.map { "'\($0)'" }
    guard unknown.isEmpty else {
      throw ErrataError.hyperparameters(
        path,
        unknown.joined(separator: ", ")
          + (unknown.count == 1
            ? " is not a setting of ROME, MEMIT or EMMET; remove it"
            : " are not settings of ROME, MEMIT or EMMET; remove them"))
    }
  }

  private static func fields(_ bytes: UnsafeRawBufferPointer, _ path: String) throws -> JSONObject {
    guard bytes.count <= maximumLength else {
      throw ErrataError.hyperparametersBeyondLimit(
        path, "is longer than \(maximumLength >> 20) MiB, more than settings can be")
    }
    let start = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
    let text = UnsafeRawBufferPointer(rebasing: bytes[start...])
    guard text.first(where: { ![0x20, 0x09, 0x0A, 0x0D].contains($0) }) == UInt8(ascii: "{") else {
      return try FlatYAML.parse(Array(text), path: path)
    }
    do throws(JSONSyntaxError) {
      return try JSON.parse(text).objectValue!
    } catch {
      let problem = "not valid JSON at byte \(start + error.offset): \(error.reason)"
      throw error.exceedsLimit
        ? ErrataError.hyperparametersBeyondLimit(path, problem) : ErrataError.hyperparameters(path, problem)
    }
  }

  private static func method(_ fields: JSONObject, _ path: String) throws -> EditMethod? {
    if let name = fields["alg_name"], !name.isNull {
      let text = name.stringValue?.lowercased()
      // r-ROME (Gupta et al. 2024) is ROME with one key in both places, which is what `rome` computes.
      if text == "r-rome" { return .rome }
      if let method = text.flatMap(EditMethod.init(rawValue:)) { return method }
      let advice =
        text == "alphaedit"
        ? "; instead of it, use MEMIT, with --batch-size for one batch of facts after the other: "
          + "--method memit --layers \(layerList(fields)), without this file" : ""
      throw ErrataError.hyperparameters(
        path,
        "'alg_name' is \(name.stringValue.map { "'\($0)'" } ?? name.kind); Errata does ROME, MEMIT and EMMET\(advice)")
    }
    if fields["emmet_lambda"] != nil { return .emmet }
    if fields["mom2_update_weight"] != nil { return .memit }
    return fields["context_template_length_params"] != nil ? .rome : nil
  }

  /// The layers as `--layers` takes them.
  private static func layerList(_ fields: JSONObject) -> String {
    let layers = fields["layers"]?.arrayValue?.compactMap(\.integerValue) ?? []
    return layers.isEmpty ? "L" : layers.map(String.init).joined(separator: ",")
  }

  /// Whether the file says which layers to edit.
  public var choosesLayers: Bool { value("layers") != nil }

  /// Lets the file's values replace those of `settings`.
  ///
  /// - Returns: notices: what the file says and Errata does not do.
  /// - Throws: an `ErrataError` for a value of the wrong type, or one that asks for something that Errata does not do.
  public func apply(to settings: inout EditSettings, for architecture: Architecture) throws -> [String] {
    if let layers = try layers() { settings.layers = layers }
    settings.clampNormFactor = try positive("clamp_norm_factor") ?? settings.clampNormFactor
    settings.steps = try positiveInteger("v_num_grad_steps") ?? settings.steps
    settings.learningRate = try positive("v_lr") ?? settings.learningRate
    settings.weightDecay = try number("v_weight_decay") ?? settings.weightDecay
    settings.klFactor = try number("kl_factor") ?? settings.klFactor
    settings.secondMomentWeight = try number("mom2_update_weight") ?? settings.secondMomentWeight
    settings.alpha = try number("emmet_lambda") ?? settings.alpha
    try check("layer_selection", is: "all")
    try check("fact_token", is: "subject_last")
    try checkLossLayer(architecture)
    try checkEditedModule(architecture)
    for name in Self.switchedOff {
      guard let value = value(name), value.boolValue != false, value.doubleValue != 0 else { continue }
      throw failure(name, "is not supported with any value but \(value.boolValue == nil ? "0" : "false")")
    }
    return try notices(settings)
  }

  private func notices(_ settings: EditSettings) throws -> [String] {
    var notices: [String] = []
    if let adjusts = value("mom2_adjustment") {
      guard let adjusts = adjusts.boolValue else {
        throw failure("mom2_adjustment", "must be true or false, found \(adjusts.kind)")
      }
      if !adjusts { notices.append("\(path): 'mom2_adjustment' is false, but second moments are always used") }
    }
    let published: JSON = [[5, 10], [10, 10]]
    if let lengths = value("context_template_length_params"), lengths != published || settings.method != .rome {
      notices.append(
        "\(path): 'context_template_length_params' is not used"
          + (settings.method == .rome
            ? ": templates are 10 of 5 and 10 of 10 tokens" : " by \(settings.method.rawValue)")
          + ", or give --templates")
    }
    let ignored = fields.members.map(\.key).filter(Self.withoutEffect.contains)
    if !ignored.isEmpty {
      notices.append("\(path): without effect here: \(ignored.map(\.description).joined(separator: ", "))")
    }
    return notices
  }

  private func checkLossLayer(_ architecture: Architecture) throws {
    guard let layer = try integer("v_loss_layer") else { return }
    let last = architecture.layerCount - 1
    guard layer == last else {
      throw failure("v_loss_layer", "is \(layer), but the loss is read at the model's last layer, \(last)")
    }
  }

  private func checkEditedModule(_ architecture: Architecture) throws {
    let name: ByteString = "rewrite_module_tmp"
    guard let value = value(name) else { return }
    guard let module = value.stringValue else { throw failure(name, "must be a string, found \(value.kind)") }
    let edited = architecture.layers[0].down.weight.description
    // The checkpoints of GPT-2's first release lack the module's first name.
    guard ["", "transformer."].contains(where: { module.replacing("{}", with: "0") + ".weight" == $0 + edited }) else {
      throw failure(
        name, "is '\(module)', but this model's edited map is '\(edited.dropLast(".weight".count))' (layer 0)")
    }
  }

  private func check(_ name: ByteString, is expected: String) throws {
    guard let value = value(name) else { return }
    guard value.stringValue == expected else {
      throw failure(
        name, "is \(value.stringValue.map { "'\($0)'" } ?? value.kind), but only '\(expected)' is supported")
    }
  }

  // MARK: - Values

  private func value(_ name: ByteString) -> JSON? {
    guard let value = fields[name], !value.isNull else { return nil }
    return value
  }

  private func failure(_ name: ByteString, _ problem: String) -> ErrataError {
    ErrataError.hyperparameters(path, "'\(name)' \(problem)")
  }

  private func number(_ name: ByteString) throws -> Double? {
    guard let value = value(name) else { return nil }
    guard let number = value.doubleValue, number >= 0, number.isFinite else {
      throw failure(name, "must be zero or a positive number, found \(value.doubleValue.map { "\($0)" } ?? value.kind)")
    }
    return number
  }

  private func positive(_ name: ByteString) throws -> Double? {
    guard let number = try number(name) else { return nil }
    guard number > 0 else { throw failure(name, "must be positive, found \(number)") }
    return number
  }

  private func integer(_ name: ByteString) throws -> Int? {
    guard let value = value(name) else { return nil }
    guard let number = value.integerValue else { throw failure(name, "must be an integer, found \(value.kind)") }
    return number
  }

  private func positiveInteger(_ name: ByteString) throws -> Int? {
    guard let number = try integer(name) else { return nil }
    guard number > 0 else { throw failure(name, "must be positive, found \(number)") }
    return number
  }

  private func layers() throws -> [Int]? {
    guard let value = value("layers") else { return nil }
    guard let elements = value.arrayValue, !elements.isEmpty,
      case let layers = elements.compactMap(\.integerValue), layers.count == elements.count
    else { throw failure("layers", "must be a list of layers, found \(value.kind)") }
    return layers
  }
}
