import Safetensors
import Tensors

/// A checkpoint's `config.json`, read field by field; errors name the file and the field.
public struct Configuration: Sendable {
  public let path: String
  /// The name that decides the family, for example "llama".
  public let modelType: String
  /// SHA-256 of the file's bytes.
  public let digest: Digest
  private let fields: JSON
  /// What the names of fields begin with in messages: "text_config." for those of a model's text part.
  private let prefix: String

  /// - Throws: an `ErrataError` if the file is missing, is not JSON, or names no `model_type`.
  public init(contentsOf path: String) throws {
    self.path = path
    let file = try MappedFile(path: path)
    digest = Digest(of: file.bytes)
    fields = try JSON.parse(file)
    prefix = ""
    modelType = try Self.string(fields["model_type"], "model_type", path)
  }

  private init(_ outer: Configuration, fields: JSON, prefix: String, modelType: String) {
    (path, digest) = (outer.path, outer.digest)
    (self.fields, self.prefix, self.modelType) = (fields, prefix, modelType)
  }

  /// The same configuration, with values for fields that the file leaves out.
  func filled(with defaults: JSONObject) -> Configuration {
    var object = fields.objectValue!
    for (field, value) in defaults.members where object[field] == nil { object[field] = value }
    return Configuration(self, fields: .object(object), prefix: prefix, modelType: modelType)
  }

  /// The same configuration, with another value of a field.
  func setting(_ field: ByteString, to value: JSON) -> Configuration {
    var object = fields.objectValue!
    object[field] = value
    return Configuration(self, fields: .object(object), prefix: prefix, modelType: modelType)
  }

  /// The configuration of a part of the model, an object in a field; all of the fields if there is no such field.
  ///
  /// - Parameter defaultType: the `model_type` of an object that has none.
  func part(_ name: String, defaultType: String) throws -> Configuration {
    guard let object = value(name) else {
      return Configuration(self, fields: fields, prefix: prefix, modelType: defaultType)
    }
    guard object.objectValue != nil else {
      throw ErrataError.wrongField(path, name, expected: "an object", found: object.kind)
    }
    let type = object["model_type"]
    return Configuration(
      self, fields: object, prefix: prefix + name + ".",
      modelType: type == nil || type!.isNull
        ? defaultType : try Self.string(type, prefix + name + ".model_type", path))
  }

  /// A field as messages name it.
  func name(_ field: String) -> String { prefix + field }

  /// The first of some names of one field that the file has; the first of all if it has none.
  func field(_ names: String...) -> String { names.first { value($0) != nil } ?? names[0] }

  private static func string(_ value: JSON?, _ name: String, _ path: String) throws -> String {
    guard let value, !value.isNull else { throw ErrataError.missingField(path, name) }
    guard let text = value.stringValue else {
      throw ErrataError.wrongField(path, name, expected: "a string", found: value.kind)
    }
    return text
  }

  /// The value of `name`, nil if it is missing or null.
  func value(_ name: String) -> JSON? {
    guard let value = fields[ByteString(name)], !value.isNull else { return nil }
    return value
  }

  /// Whether the file says null.
  func isNull(_ name: String) -> Bool { fields[ByteString(name)]?.isNull == true }

  func positiveInteger(_ name: String, default defaultValue: Int? = nil) throws -> Int {
    guard let value = value(name) else {
      guard let defaultValue else { throw ErrataError.missingField(path, self.name(name)) }
      return defaultValue
    }
    guard let number = value.integerValue, number > 0, number < 1 << 31 else {
      throw ErrataError.wrongField(path, self.name(name), expected: "a positive integer", found: value.kind)
    }
    return number
  }

  /// Of layers, of which a damaged file could ask for two thousand millions.
  func layerCount(_ name: String) throws -> Int {
    let count = try positiveInteger(name)
    guard count <= 4096 else {
      throw ErrataError.wrongField(
        path, self.name(name), expected: "a positive integer up to 4096", found: String(count))
    }
    return count
  }

  /// Zero or more.
  func count(_ name: String, default defaultValue: Int) throws -> Int {
    guard let value = value(name) else { return defaultValue }
    guard let number = value.integerValue, number >= 0, number < 1 << 31 else {
      throw ErrataError.wrongField(path, self.name(name), expected: "zero or a positive integer", found: value.kind)
    }
    return number
  }

  func number(_ name: String, default defaultValue: Double? = nil) throws -> Double {
    guard let value = value(name) else {
      guard let defaultValue else { throw ErrataError.missingField(path, self.name(name)) }
      return defaultValue
    }
    guard let number = value.doubleValue else {
      throw ErrataError.wrongField(path, self.name(name), expected: "a number", found: value.kind)
    }
    return number
  }

  /// A positive integer that null switches off.
  ///
  /// - Parameter defaultValue: what a file without the field means.
  func switchableInteger(_ name: String, default defaultValue: Int?) throws -> Int? {
    if isNull(name) { return nil }
    return value(name) == nil ? defaultValue : try positiveInteger(name)
  }

  /// A positive number that null switches off.
  func switchableNumber(_ name: String, default defaultValue: Double?) throws -> Double? {
    if isNull(name) { return nil }
    guard value(name) != nil else { return defaultValue }
    return try positiveNumber(name)
  }

  /// A positive number.
  func positiveNumber(_ name: String, default defaultValue: Double? = nil) throws -> Double {
    let number = try number(name, default: defaultValue)
    guard number > 0 else {
      throw ErrataError.wrongField(path, self.name(name), expected: "a positive number", found: String(number))
    }
    return number
  }

  /// A field that changes the computation in a way that Errata does not know.
  ///
  /// - Throws: an `ErrataError` unless its value is `expected`, or it is missing and `defaultValue` is.
  func require(_ name: String, _ expected: Bool, default defaultValue: Bool? = nil) throws {
    let found = try boolean(name, default: defaultValue ?? expected)
    guard found == expected else {
      throw ErrataError.unsupportedSetting(path, self.name(name), "\(found)", supported: "\(expected)")
    }
  }

  /// A field that changes the computation, and that Errata does not know with any value.
  func requireAbsent(_ name: String) throws {
    guard let found = value(name) else { return }
    throw ErrataError.unsupportedSetting(path, self.name(name), found.kind, supported: "none")
  }

  func boolean(_ name: String, default defaultValue: Bool) throws -> Bool {
    guard let value = value(name) else { return defaultValue }
    guard let flag = value.boolValue else {
      throw ErrataError.wrongField(path, self.name(name), expected: "true or false", found: value.kind)
    }
    return flag
  }

  /// - Parameter defaultValue: the name that a file without the field means; nil if it must be there.
  func activation(_ name: String, default defaultValue: String? = nil) throws -> Activation {
    let text =
      try value(name) == nil && defaultValue != nil ? defaultValue! : Self.string(value(name), self.name(name), path)
    guard let activation = Activation(configurationName: text) else {
      throw ErrataError.unsupportedSetting(
        path, self.name(name), "'\(text)'", supported: Activation.configurationNames.joined(separator: ", "))
    }
    return activation
  }
}
