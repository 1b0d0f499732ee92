import Tensors

/// The fields of `rope_parameters`, or of `rope_scaling`: of all layers, or of those of one type.
struct RotaryFields {
  let configuration: Configuration
  let layerType: String?
  private let block: String
  private let object: JSONObject?
  private let ownFields: Set<ByteString>

  private static let known: Set<ByteString> = [
    "rope_type", "type", "rope_theta", "partial_rotary_factor", "factor", "original_max_position_embeddings",
    "low_freq_factor", "high_freq_factor", "short_factor", "long_factor", "beta_fast", "beta_slow", "truncate",
    "attention_factor", "mscale", "mscale_all_dim", "finetuned",
  ]

  init(_ configuration: Configuration, _ options: RotaryParameters.Options, layerType: String?) throws {
    self.configuration = configuration
    self.layerType = layerType
    ownFields = options.ownFields
    // An empty object is none.
    let isScaled = configuration.value("rope_scaling").map { $0.objectValue?.count != 0 } ?? false
    if let layerType {
      (block, object) = try Self.fields(of: layerType, configuration, isScaled: isScaled)
    } else {
      block = isScaled || configuration.value("rope_parameters") == nil ? "rope_scaling" : "rope_parameters"
      object = try Self.object(configuration, block) ?? options.defaults?.objectValue
    }
    // For example parameters by layer type, of a family that has one set of them.
    for field in unknown where object![field]!.objectValue != nil {
      throw ErrataError.unsupportedSetting(
        configuration.path, name(field.description), object![field]!.kind,
        supported: Self.known.map(\.description).sorted().joined(separator: ", "))
    }
  }

  /// `rope_parameters` have an object for each type of layer; `rope_scaling` adds to that of full attention, as in
  /// transformers.
  private static func fields(
    of layerType: String, _ configuration: Configuration, isScaled: Bool
  ) throws -> (String, JSONObject?) {
    var own = JSONObject()
    if let nested = try object(configuration, "rope_parameters")?[ByteString(layerType)], !nested.isNull {
      guard let fields = nested.objectValue else {
        throw ErrataError.wrongField(
          configuration.path, configuration.name("rope_parameters.\(layerType)"), expected: "an object",
          found: nested.kind)
      }
      own = fields
    }
    guard isScaled, layerType == "full_attention" else { return ("rope_parameters.\(layerType)", own) }
    for (field, value) in try object(configuration, "rope_scaling")?.members ?? [] { own[field] = value }
    return ("rope_scaling", own)
  }

  private static func object(_ configuration: Configuration, _ name: String) throws -> JSONObject? {
    guard let value = configuration.value(name) else { return nil }
    guard let object = value.objectValue else {
      throw ErrataError.wrongField(
        configuration.path, configuration.name(name), expected: "an object", found: value.kind)
    }
    return object
  }

  /// A field as messages name it.
  func name(_ field: String) -> String { configuration.name("\(block).\(field)") }

  private var unknown: [ByteString] {
    object?.keys.filter { !Self.known.contains($0) && !ownFields.contains($0) } ?? []
  }

  var notices: [String] {
    var notices: [String] = []
    if layerType == nil, block == "rope_scaling", object != nil, configuration.value("rope_parameters") != nil {
      notices.append(
        "\(configuration.path): has both 'rope_scaling' and 'rope_parameters'; the first counts, as in transformers")
    }
    if !unknown.isEmpty {
      let fields = unknown.map { "'\(name($0.description))'" }.joined(separator: ", ")
      notices.append("\(configuration.path): \(fields) without effect, as in transformers")
    }
    return notices
  }

  private func value(_ field: String) -> JSON? {
    guard let value = object?[ByteString(field)], !value.isNull else { return nil }
    return value
  }

  private func wrong(_ field: String, expected: String, _ found: JSON) -> ErrataError {
    ErrataError.wrongField(configuration.path, name(field), expected: expected, found: found.kind)
  }

  func kind() throws -> String {
    guard let found = value("rope_type") ?? value("type") else { return "default" }
    guard let text = found.stringValue else { throw wrong("rope_type", expected: "a string", found) }
    // Positions of text alone stand in for those of time, height and width.
    return text == "mrope" && ownFields.contains("mrope_section") ? "default" : text
  }

  func number(_ field: String) throws -> Double? {
    guard let found = value(field) else { return nil }
    guard let number = found.doubleValue else { throw wrong(field, expected: "a number", found) }
    return number
  }

  func required(_ field: String) throws -> Double {
    guard let number = try number(field) else {
      throw ErrataError.missingField(configuration.path, name(field))
    }
    guard number > 0 else {
      throw ErrataError.wrongField(
        configuration.path, name(field), expected: "a positive number", found: String(number))
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
      throw ErrataError.missingField(configuration.path, name(field))
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
        configuration.path, name(field), expected: "a positive integer", found: String(number))
    }
    return count
  }
}
