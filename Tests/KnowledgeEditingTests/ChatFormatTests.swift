import Foundation
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import KnowledgeEditing

/// Chats as `transformers` writes them by each model's own template: Tests/Golden/chats.json, which
/// make_golden_chats.py makes from a folder of templates.
struct GoldenChat: Sendable, CustomTestStringConvertible {
  let json: JSON

  var testDescription: String { text("model") }
  var format: String { text("format") }

  func text(_ member: ByteString) -> String { json[member]!.stringValue! }
  func optionalText(_ member: ByteString) -> String? { json[member]?.stringValue }

  static let all: [GoldenChat] = {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Golden/chats.json").path
    return try! JSON.parse(contentsOf: path).arrayValue!.map(GoldenChat.init)
  }()

  /// Ours for its three chats.
  func written(by format: ChatFormat) -> [String] {
    let first = format.form()
    let system = format.form(system: "Be brief.")
    let second = format.form(after: [("Where is X?", "In Y.")])
    return zip([first, system, second], ["Where is X?", "Where is X?", "And Z?"]).map { Manifest.Form?($0).placing($1) }
  }

  var expected: [String?] { ["user", "system", "second"].map { optionalText($0) } }
}

@Suite struct ChatFormatTests {
  @Test(arguments: GoldenChat.all) func writesWhatTheTemplateDoes(_ golden: GoldenChat) throws {
    let known = try #require(ChatFormat.known.first { $0.format.name == golden.format })
    // A template of our own, with what of the model's is its own.
    var source = known.marks.joined(separator: "' '")
    if golden.json["writes_beginning"] == true { source += "bos_token" }
    source += "eos_token{% if add_generation_prompt %}'\(golden.optionalText("thought") ?? "")'"
    if let words = golden.optionalText("default_system") {
      source += PromptTemplate(known.format.system)!.filled(with: words)
    }
    if let preamble = golden.optionalText("preamble") { source += preamble }
    let template = ChatTemplate(source.replacingOccurrences(of: "\n", with: "\\n"))
    let files = ChatTemplateFiles(
      template: source, beginningOfText: golden.text("beginning"), endOfText: golden.text("end"))
    let format = try #require(ChatFormat.format(of: template, files))
    #expect(format.name == golden.format)
    for (written, expected) in zip(golden.written(by: format), golden.expected) where expected != nil {
      #expect(written == expected)
    }
  }

  /// With the templates themselves, where someone has them (ERRATA_CHAT_TEMPLATES: a folder with a file for each
  /// model).
  @Test(
    .enabled(if: ProcessInfo.processInfo.environment["ERRATA_CHAT_TEMPLATES"] != nil), arguments: GoldenChat.all)
  func recognizesTheTemplate(_ golden: GoldenChat) throws {
    let folder = ProcessInfo.processInfo.environment["ERRATA_CHAT_TEMPLATES"]!
    let source = try String(contentsOfFile: "\(folder)/\(golden.text("model")).jinja", encoding: .utf8)
    let files = ChatTemplateFiles(
      template: source, beginningOfText: golden.text("beginning"), endOfText: golden.text("end"))
    let format = try #require(ChatFormat.format(of: ChatTemplate(source), files))
    #expect(format.name == golden.format)
    for (written, expected) in zip(golden.written(by: format), golden.expected) where expected != nil {
      #expect(written == expected)
    }
  }

  @Test func everyKnownFormatHasTurns() throws {
    #expect(Set(ChatFormat.names).count == ChatFormat.known.count)
    for known in ChatFormat.known {
      for turn in [known.format.system, known.format.user, known.format.assistant] {
        #expect(PromptTemplate(turn) != nil, "\(known.format.name)")
      }
      #expect(!known.marks.isEmpty)
    }
  }

  @Test func readsAFormatFromAFile() throws {
    let directory = try TemporaryDirectory()
    let path = directory.path + "/format.json"
    func format(_ text: String) throws -> ChatFormat {
      try Data(text.utf8).write(to: URL(filePath: path))
      return try ChatFormat(contentsOf: path)
    }
    let read = try format(
      #"{"name": "own", "beginning": "<b>", "system": "S {}.", "user": "Q {}\n", "assistant": "A {}\n", "target_prefix": " "}"#
    )
    #expect(Manifest.Form?(read.form(system: "hey")).placing("why") == "<b>S hey.Q why\nA ")
    #expect(read.targetPrefix == " ")
    let merged = try format(
      #"{"system": "[{}] ", "system_in_user": true, "user": "Q {}", "assistant": "{}", "reply": "A"}"#)
    #expect(Manifest.Form?(merged.form(system: "hey", after: [("a", "b")])).placing("c") == "Q [hey] abQ cA")
    for (text, problem) in [
      ("[]", "must be an object"), (#"{"user": "{}"}"#, "'assistant' is missing"),
      (#"{"assistant": "{}"}"#, "'user' is missing"),
      (#"{"user": "x", "assistant": "{}"}"#, "'user' must contain {} exactly once, where the words stand"),
      (#"{"user": "{}", "assistant": "{}", "usr": ""}"#, "'usr' is no member of a chat format"),
      (#"{"user": "{}", "assistant": "{}", "reply": 1}"#, "'reply' must be a string without NUL characters"),
      (#"{"user": "{}", "assistant": "{}", "system_in_user": 1}"#, "'system_in_user' must be true or false"),
    ] {
      #expect(throws: ErrataError(.usage, "\(path): the chat format: \(problem)")) { try format(text) }
    }
  }
}
