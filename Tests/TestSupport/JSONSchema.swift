import Foundation
import Tensors

/// The schemas of `Spec/schemas` (JSON Schema, draft 2020-12), as far as they go: a keyword that is not known here is
/// an error in the schema, so that nothing is silently not checked.
public enum JSONSchema {
  public static let folder =
    URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().path + "/Spec/schemas"

  /// What keeps a value from being as a schema says, each with its place; nothing if it is.
  ///
  /// - Parameter name: a file's name without `.json`, behind a `#` the place in it.
  public static func problems(of value: JSON, as name: String) throws -> [String] {
    let (file, schema) = try find(
      "\(name.split(separator: "#")[0]).json#" + name.drop { $0 != "#" }.dropFirst(), in: "")
    return try Check(file: file).problems(value, schema, "$")
  }

  /// What keeps the answer of a tool's `--json` from being as the schema of its kind says.
  public static func problems(ofAnswer value: JSON) throws -> [String] {
    if value["error"] != nil { return try problems(of: value, as: "error") }
    guard let kind = value["answer"]?.stringValue else { return ["$: has no member 'answer'"] }
    guard FileManager.default.fileExists(atPath: "\(folder)/\(kind).json") else { return ["$: no schema '\(kind)'"] }
    return try problems(of: value, as: kind)
  }

  struct Malformed: Error { let reason: String }

  /// The schema that a reference leads to, and its file.
  fileprivate static func find(_ reference: String, in file: String) throws -> (file: String, schema: JSON) {
    let parts = reference.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
    let file = parts[0].isEmpty ? file : String(parts[0])
    var schema = try JSON.parse(contentsOf: "\(folder)/\(file)")
    for name in parts.dropFirst().joined().split(separator: "/") {
      guard let next = schema[ByteString(String(name))] else { throw Malformed(reason: "\(reference) leads nowhere") }
      schema = next
    }
    return (file, schema)
  }
}

private struct Check {
  let file: String

  /// Those that say nothing of values.
  private static let remarks: Set<ByteString> = ["$schema", "$id", "$defs", "title", "description"]

  func problems(_ value: JSON, _ schema: JSON, _ place: String) throws -> [String] {
    guard let keywords = schema.objectValue else { throw malformed("a schema is no object") }
    return try keywords.members.filter { !Self.remarks.contains($0.key) }.flatMap { keyword, argument in
      try problems(value, keyword.description, argument, keywords, place)
    }
  }

  private func problems(
    _ value: JSON, _ keyword: String, _ argument: JSON, _ schema: JSONObject, _ place: String
  ) throws -> [String] {
    switch keyword {
    case "$ref":
      let (file, target) = try JSONSchema.find(argument.stringValue ?? "", in: file)
      return try Check(file: file).problems(value, target, place)
    case "type":
      let types = (argument.arrayValue ?? [argument]).compactMap(\.stringValue)
      return types.contains { value.isOf(type: $0) } ? [] : ["\(place): is \(value.kind), not \(types)"]
    case "const": return value == argument ? [] : ["\(place): is not \(argument)"]
    case "enum": return argument.arrayValue!.contains(value) ? [] : ["\(place): \(value) is none of \(argument)"]
    case "minimum":
      guard let number = value.doubleValue, number < argument.doubleValue! else { return [] }
      return ["\(place): \(number) is too small"]
    case "minItems":
      guard let elements = value.arrayValue, elements.count < argument.integerValue! else { return [] }
      return ["\(place): has too few elements"]
    case "pattern":
      guard let text = value.stringValue else { return [] }
      return try text.contains(Regex(argument.stringValue!)) ? [] : ["\(place): '\(text)' is not like \(argument)"]
    case "anyOf":
      let found = try argument.arrayValue!.map { try problems(value, $0, place) }
      return found.contains(where: \.isEmpty)
        ? [] : ["\(place): is none of: \(found.map { $0.joined(separator: ", ") })"]
    case "items":
      return try (value.arrayValue ?? []).enumerated().flatMap { try problems($1, argument, "\(place)[\($0)]") }
    case "required":
      guard let object = value.objectValue else { return [] }
      return argument.arrayValue!.compactMap { name in
        object[name.bytesValue!] == nil ? "\(place): has no member '\(name.stringValue!)'" : nil
      }
    case "properties":
      return try (value.objectValue?.members ?? []).flatMap { name, value in
        try argument[name].map { try problems(value, $0, "\(place).\(name)") } ?? []
      }
    case "additionalProperties":
      return try (value.objectValue?.members ?? []).filter { schema["properties"]?[$0.key] == nil }.flatMap {
        name, value in
        argument == false
          ? ["\(place): has a member '\(name)'"] : try problems(value, argument, "\(place).\(name)")
      }
    default: throw malformed("the keyword '\(keyword)' is not known")
    }
  }

  private func malformed(_ reason: String) -> JSONSchema.Malformed { .init(reason: "\(file): \(reason)") }
}

extension JSON {
  fileprivate func isOf(type: String) -> Bool {
    switch self {
    case .null: type == "null"
    case .bool: type == "boolean"
    case .integer: type == "integer" || type == "number"
    case .double(let value): type == "number" || type == "integer" && value == value.rounded()
    case .string: type == "string"
    case .array: type == "array"
    case .object: type == "object"
    }
  }
}
