import Foundation
import Tensors
import TestSupport
import Testing

/// The schemas of `Spec/schemas` are schemas, there is one for every answer, and the files that come with the project
/// are as theirs say. (What the tools print is checked wherever a test reads it.)
@Suite struct SchemaTests {
  private static let root = JSONSchema.folder + "/../.."
  private static let names = try! FileManager.default.contentsOfDirectory(atPath: JSONSchema.folder).sorted()

  /// Those that are of no answer, or of none of a single tool.
  private static let others: Set = ["common", "error", "eval.case", "facts", "policy"]

  private func kinds() throws -> Set<String> {
    let sources = FileManager.default.enumerator(atPath: Self.root + "/Sources")!.compactMap { $0 as? String }
    let kind = /kind(?: = |: )"([a-z.]+)"/
    return try Set(
      sources.filter { ($0.hasPrefix("errata-") || $0.hasPrefix("FactReporting/")) && $0.hasSuffix(".swift") }.flatMap {
        path in
        try String(contentsOfFile: "\(Self.root)/Sources/\(path)", encoding: .utf8).matches(of: kind).map {
          String($0.1)
        }
      })
  }

  @Test func everyAnswerHasOne() throws {
    let kinds = try kinds()
    #expect(kinds.count > 20)
    #expect(kinds.union(Self.others) == Set(Self.names.map { String($0.dropLast(".json".count)) }))
    for kind in kinds {
      let schema = try JSON.parse(contentsOf: "\(JSONSchema.folder)/\(kind).json")
      #expect(schema["properties"]?["answer"]?["const"] == JSON(kind))
    }
  }

  /// No object has members that are not named, what must be there is named, and every reference leads somewhere.
  @Test(arguments: names) func isClosed(name: String) throws {
    let schema = try JSON.parse(contentsOf: "\(JSONSchema.folder)/\(name)")
    #expect(schema["$schema"] == "https://json-schema.org/draft/2020-12/schema" && schema["$id"] == JSON(name))
    func walk(_ schema: JSON, _ place: String) throws {
      if let properties = schema["properties"]?.objectValue {
        if name != "facts.json" { #expect(schema["additionalProperties"] == false, "\(place)") }
        for required in schema["required"]?.arrayValue ?? [] {
          #expect(properties[required.bytesValue!] != nil, "\(place): \(required)")
        }
      }
      if let reference = schema["$ref"]?.stringValue {
        let target = reference.hasPrefix("#") ? name + reference : reference
        // Whatever becomes of the value, the schema is found, and all of its keywords are known.
        _ = try JSONSchema.problems(of: .null, as: target.replacing(".json", with: "", maxReplacements: 1))
      }
      for (key, value) in schema.objectValue?.members ?? [] where !["const", "enum"].contains(key) {
        try walk(value, "\(place).\(key)")
      }
      for value in schema.arrayValue ?? [] { try walk(value, place) }
    }
    try walk(schema, name)
  }

  private func problems(_ text: String, as name: String) throws -> [String] {
    try JSONSchema.problems(of: JSON.parse(Array(text.utf8)), as: name)
  }

  @Test func factsFiles() throws {
    for path in ["SamplePatches/facts.json", "SamplePatches/smollm2/facts.json"] {
      #expect(try JSONSchema.problems(of: JSON.parse(contentsOf: "\(Self.root)/\(path)"), as: "facts") == [])
    }
    let plain = #"{"prompt": "The capital of {Australia} is", "target": "Canberra", "paraphrase": ["a", "b"]}"#
    #expect(try problems(plain, as: "facts") == [])
    #expect(try problems("[\(plain)]", as: "facts") == [])
    for wrong in [
      "3", #"{"prompt": "x"}"#, #"{"target": "x"}"#, #"{"prompt": 1, "target": "x"}"#,
      #"[{"requested_rewrite": {"prompt": "{}", "subject": "x"}}]"#, #"[{"requested_rewrite": []}]"#,
      #"{"src": "a", "subject": "a", "alt": "b", "answers": [], "rephrase": "c", "loc": "d", "loc_ans": "e"}"#,
    ] { #expect(try problems(wrong, as: "facts") != [], "\(wrong)") }
  }

  @Test func policies() throws {
    let example = try JSON.parse(contentsOf: Self.root + "/Spec/examples/policy.json")
    #expect(try JSONSchema.problems(of: example, as: "policy") == [])
    for wrong in [
      "{}", #"{"version": 2, "keys": [{"file": "a"}]}"#, #"{"version": 1, "keys": []}"#,
      #"{"version": 1, "keys": [{"name": "a"}]}"#, #"{"version": 1, "keys": [{"file": "a", "key": "b"}]}"#,
      #"{"version": 1, "keys": [{"file": "a"}], "threshold": 0}"#, #"{"version": 1, "keys": [{"file": "a"}], "x": 1}"#,
    ] { #expect(try problems(wrong, as: "policy") != [], "\(wrong)") }
  }

  /// What the check says of an answer that is not as it should be.
  @Test func problemsAreNamed() throws {
    let digest = String(repeating: "0", count: 64)
    func problems(_ members: String) throws -> [String] {
      try JSONSchema.problems(
        ofAnswer: JSON.parse(Array("{\"answer\": \"keygen\", \"version\": 1, \(members)}".utf8)))
    }
    #expect(try problems("\"key\": \"\(digest)\", \"private_key\": \"a\", \"public_key\": \"b\"") == [])
    #expect(
      try problems("\"key\": \"0\", \"private_key\": 1, \"more\": 2") == [
        "$.key: '0' is not like \(JSON("^[0-9a-f]{64}$"))", "$.private_key: is a number, not [\"string\"]",
        "$: has no member 'public_key'", "$: has a member 'more'",
      ])
    #expect(try JSONSchema.problems(ofAnswer: ["answer": "nothing"]) == ["$: no schema 'nothing'"])
    #expect(try JSONSchema.problems(ofAnswer: [:]) == ["$: has no member 'answer'"])
  }
}
