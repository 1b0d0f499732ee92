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

  /// - Throws: an `ErrataError` if the file is missing, is not JSON, or names no `model_type`.
  public init(contentsOf path: String) throws {
    self.path = path
    let file = try MappedFile(path: path)
    digest = Digest(of: file.bytes)
    fields = try JSON.parse(file)
    modelType = try Self.string(fields["model_type"], "model_type", path)
  }

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

  func positiveInteger(_ name: String, default defaultValue: Int? = nil) throws -> Int {
    guard let value = value(name) else {
      guard let defaultValue else { throw ErrataError.missingField(path, name) }
      return defaultValue
    }
    guard let number = value.integerValue, number > 0, number < 1 << 31 else {
      throw ErrataError.wrongField(path, name, expected: "a positive integer", found: value.kind)
    }
    return number
  }

  /// Zero or more.
  func count(_ name: String, default defaultValue: Int) throws -> Int {
    guard let value = value(name) else { return defaultValue }
    guard let number = value.integerValue, number >= 0, number < 1 << 31 else {
      throw ErrataError.wrongField(path, name, expected: "zero or a positive integer", found: value.kind)
    }
    return number
  }

  func number(_ name: String, default defaultValue: Double? = nil) throws -> Double {
    guard let value = value(name) else {
      guard let defaultValue else { throw ErrataError.missingField(path, name) }
      return defaultValue
    }
    guard let number = value.doubleValue else {
      throw ErrataError.wrongField(path, name, expected: "a number", found: value.kind)
    }
    return number
  }

  /// A positive integer that null switches off.
  ///
  /// - Parameter defaultValue: what a file without the field means.
  func switchableInteger(_ name: String, default defaultValue: Int?) throws -> Int? {
    if fields[ByteString(name)]?.isNull == true { return nil }
    return value(name) == nil ? defaultValue : try positiveInteger(name)
  }

  /// A positive number that null switches off.
  func switchableNumber(_ name: String, default defaultValue: Double?) throws -> Double? {
    if fields[ByteString(name)]?.isNull == true { return nil }
    guard value(name) != nil else { return defaultValue }
    let number = try number(name)
    guard number > 0 else {
      throw ErrataError.wrongField(path, name, expected: "a positive number", found: String(number))
    }
    return number
  }

  /// A field that changes the computation in a way that Errata does not know.
  ///
  /// - Throws: an `ErrataError` unless its value is `expected`, or it is missing and `defaultValue` is.
  func require(_ name: String, _ expected: Bool, default defaultValue: Bool? = nil) throws {
    let found = try boolean(name, default: defaultValue ?? expected)
    guard found == expected else {
      throw ErrataError.unsupportedSetting(path, name, "\(found)", supported: "\(expected)")
    }
  }

  /// A field that changes the computation, and that Errata does not know with any value.
  func requireAbsent(_ name: String) throws {
    guard let found = value(name) else { return }
    throw ErrataError.unsupportedSetting(path, name, found.kind, supported: "none")
  }

  func boolean(_ name: String, default defaultValue: Bool) throws -> Bool {
    guard let value = value(name) else { return defaultValue }
    guard let flag = value.boolValue else {
      throw ErrataError.wrongField(path, name, expected: "true or false", found: value.kind)
    }
    return flag
  }

  /// - Parameter defaultValue: the name that a file without the field means; nil if it must be there.
  func activation(_ name: String, default defaultValue: String? = nil) throws -> Activation {
    let text = try value(name) == nil && defaultValue != nil ? defaultValue! : Self.string(value(name), name, path)
    guard let activation = Activation(configurationName: text) else {
      throw ErrataError.unsupportedSetting(
        path, name, "'\(text)'", supported: Activation.configurationNames.joined(separator: ", "))
    }
    return activation
  }
}
