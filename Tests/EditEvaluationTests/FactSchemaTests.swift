import Foundation
import KnowledgeEditing
import Tensors
import TestSupport
import Testing
import WeightPatch

@testable import EditEvaluation
@testable import Facts

/// The records here are made up in the form of the published ones.
@Suite struct FactSchemaTests {
  private let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private func read(_ text: String) throws -> [FactRecord] {
    let path = directory.path + "/facts"
    try Data(text.utf8).write(to: URL(filePath: path))
    return try FactRecord.read(path).map { record in
      var record = record
      record.place = nil
      record.caseIdentifier = nil
      return record
    }
  }

  @Test(arguments: [
    // CounterFact
    #"[{"case_id": 7, "requested_rewrite": {"prompt": "{} lies in", "relation_id": "P17", "subject": "Avalon", "#
      + #""target_new": {"str": "Wales", "id": "Q25"}, "target_true": {"str": "Somerset", "id": "Q1"}}, "#
      + #""paraphrase_prompts": ["Rain fell. Avalon is in"], "neighborhood_prompts": ["Camelot lies in"], "#
      + #""attribute_prompts": ["Cardiff lies in"], "generation_prompts": ["Avalon is"]}]"#
  ])
  func counterFact(_ text: String) throws {
    #expect(
      try read(text) == [
        FactRecord(
          fact: Manifest.Fact(
            subject: "Avalon", prompt: "{} lies in", targetNew: "Wales", targetTrue: "Somerset", relation: "P17"),
          paraphrasePrompts: ["Rain fell. Avalon is in"], neighborhoodPrompts: [.init("Camelot lies in")],
          generationPrompts: ["Avalon is"], targetIdentifier: "Q25")
      ])
  }

  /// By them tables are joined with others': all facts of a record have its own.
  @Test func caseIdentifiers() throws {
    let path = directory.path + "/facts"
    let records = [#""case_id": 7, "#, #""case_id": "a", "#, ""].map { #"{\#($0)"prompt": "{A} is", "target": "b"}"# }
    try Data("[\(records.joined(separator: ", "))]".utf8).write(to: URL(filePath: path))
    #expect(try FactRecord.read(path).map(\.caseIdentifier) == ["7", "a", nil])
  }

  private static let zsRE =
    #"{"subject": "Avalon", "src": "In which country is Avalon?", "pred": "x", "rephrase": "Where is Avalon?", "#
    + #""alt": "Wales", "answers": ["Somerset", "England"], "loc": "nq question: who pulled the sword", "#
    + #""loc_ans": "Arthur", "cond": "x >> Wales || In which country is Avalon?"}"#

  @Test func zsRE() throws {
    #expect(
      try read("[\(Self.zsRE)]") == [
        FactRecord(
          fact: Manifest.Fact(
            subject: "Avalon", prompt: "In which country is {}?", targetNew: "Wales", targetTrue: "Somerset"),
          paraphrasePrompts: ["Where is Avalon?"],
          neighborhoodPrompts: [.init("nq question: who pulled the sword?", answer: "Arthur")])
      ])
  }

  @Test(arguments: ["who pulled the sword", "who pulled the sword?"])
  func zsREWithoutTheMarker(_ question: String) throws {
    let records = try read("[\(Self.zsRE.replacing("nq question: who pulled the sword", with: question))]")
    #expect(records[0].neighborhoodPrompts == [.init("who pulled the sword?", answer: "Arthur")])
  }

  /// Each rewrite of a record is a fact.
  @Test func mquake() throws {
    func rewrite(_ subject: String, _ target: String) -> String {
      #"{"prompt": "{} lies in", "relation_id": "P17", "target_new": {"str": "\#(target)", "id": "Q1"}, "#
        + #""target_true": {"str": "x", "id": "Q2"}, "subject": "\#(subject)", "question": "Where is \#(subject)?"}"#
    }
    func fact(_ subject: String, _ target: String) -> FactRecord {
      FactRecord(
        fact: Manifest.Fact(
          subject: subject, prompt: "{} lies in", targetNew: target, targetTrue: "x", relation: "P17"),
        paraphrasePrompts: ["Where is \(subject)?"], targetIdentifier: "Q1")
    }
    let text =
      #"[{"case_id": 1, "requested_rewrite": [\#(rewrite("Avalon", "Wales")), \#(rewrite("Camelot", "Kent"))], "#
      + #""questions": ["a?"], "answer": "x", "new_answer": "y"}, {"requested_rewrite": [\#(rewrite("Ys", "Brittany"))]}]"#
    #expect(try read(text) == [fact("Avalon", "Wales"), fact("Camelot", "Kent"), fact("Ys", "Brittany")])
    expectError(
      "record 0 (line 1), field 'requested_rewrite': holds no rewrite", #"[{"requested_rewrite": []}]"#)
    expectError(
      "record 0 (line 1), field 'requested_rewrite': must hold objects, found a number in it",
      #"[{"requested_rewrite": [3]}]"#)
    expectError(
      "record 0 (line 1), field 'requested_rewrite[1].prompt': is missing",
      #"[{"requested_rewrite": [\#(rewrite("Avalon", "Wales")), {}]}]"#)
  }

  @Test(arguments: [
    (#""subject": "Avalon", "#, "", "'subject': is missing"),
    (#""answers": ["Somerset", "England"]"#, #""answers": []"#, "'answers': holds no answer"),
    (
      #""answers": ["Somerset", "England"]"#, #""answers": "x""#,
      "'answers': must be an array of strings, found a string"
    ),
    (#""alt": "Wales""#, #""alt": " ""#, "'alt': is empty"), (#""rephrase""#, #""other""#, "'rephrase': is missing"),
    (#""loc_ans""#, #""other""#, "'loc_ans': is missing"), (#""loc""#, #""other""#, "'loc': is missing"),
    (
      "In which country is Avalon?\", \"pred", "In which country is it?\", \"pred",
      #"'src': does not contain the subject "Avalon", found "In which country is it?""#
    ),
  ])
  func badZsRE(_ old: String, _ new: String, _ message: String) {
    expectError("record 1 (line 1), field \(message)", "[\(Self.zsRE), \(Self.zsRE.replacing(old, with: new))]")
  }

  @Test func easyEdit() throws {
    let older =
      #"{"case_id": 1, "prompt": "Avalon lies in", "subject": "Avalon", "target_new": "Wales", "#
      + #""ground_truth": "Somerset", "rephrase_prompt": "Avalon is in", "locality_prompt": "Camelot lies in", "#
      + #""locality_ground_truth": "Caerleon", "portability": {}}"#
    let knowEdit =
      #"{"subject": "Avalon", "prompt": "Avalon lies in", "target_new": "Wales", "ground_truth": [["Somerset"], "#
      + #"["England"]], "rephrase": "Avalon is in", "portability": {"Reasoning": []}, "locality": {"Forgetfulness": "#
      + #"[{"prompt": "Camelot lies in", "ground_truth": [["Caerleon", "Winchester"]]}], "Other": [{"prompt": "x", "#
      + #""ground_truth": []}]}}"#
    let expected = FactRecord(
      fact: Manifest.Fact(subject: "Avalon", prompt: "{} lies in", targetNew: "Wales", targetTrue: "Somerset"),
      paraphrasePrompts: ["Avalon is in"], neighborhoodPrompts: [.init("Camelot lies in", answer: "Caerleon")])
    #expect(try read("[\(older), \(knowEdit)]") == [expected, expected])
    let noTruth = #"[{"prompt": "A is", "subject": "A", "target_new": "b", "ground_truth": "<|endoftext|>"}]"#
    #expect(
      try read(noTruth) == [FactRecord(fact: Manifest.Fact(subject: "A", prompt: "{} is", targetNew: "b"))])
  }

  @Test(arguments: [
    (#""subject": "A", "target_new": "b""#, "'prompt': is missing"),
    (#""prompt": "A is", "target_new": "b""#, "'subject': is missing"),
    (#""prompt": "A is", "subject": "A", "target_new": """#, "'target_new': is empty"),
    (
      #""prompt": "A is", "subject": "A", "target_new": {"str": "b"}"#,
      "'target_new': must be a string, found an object"
    ),
    (
      #""prompt": "A is", "subject": "C", "target_new": "b""#,
      #"'prompt': does not contain the subject "C", found "A is""#
    ),
    (
      #""prompt": "{} and {}", "subject": "C", "target_new": "b""#,
      #"'prompt': must contain {} exactly once, where the subject stands, found "{} and {}""#
    ),
    (
      #""prompt": "A is", "subject": "A", "target_new": "b", "ground_truth": 3"#,
      "'ground_truth': must be a string or an array of strings, found a number"
    ),
    (
      #""prompt": "A is", "subject": "A", "target_new": "b", "rephrase_prompt": {}"#,
      "'rephrase_prompt': must be a string or an array of strings, found an object"
    ),
    (
      #""prompt": "A is", "subject": "A", "target_new": "b", "locality_prompt": ["x", "y"], "locality_ground_truth": "z""#,
      "'locality_ground_truth': must have an answer for each locality_prompt: 1 for 2"
    ),
    (
      #""prompt": "A is", "subject": "A", "target_new": "b", "locality": {"one": [3]}"#,
      "'locality.one': must hold objects, found a number"
    ),
    (
      #""prompt": "A is", "subject": "A", "target_new": "b", "locality": {"one": [{"ground_truth": "x"}]}"#,
      "'locality.one.prompt': is missing"
    ),
  ])
  func badEasyEdit(_ fields: String, _ message: String) {
    expectError(
      "record 1 (line 1), field \(message)", #"[{"prompt": "A is", "subject": "A", "target_new": "b"}, {\#(fields)}]"#)
  }

  private static let plain = [
    FactRecord(fact: Manifest.Fact(subject: "Australia", prompt: "The capital of {} is", targetNew: "Canberra")),
    FactRecord(
      fact: Manifest.Fact(subject: "New York", prompt: "Is {} in New York, \"NY\"?", targetNew: "yes, it is")),
    FactRecord(
      fact: Manifest.Fact(subject: "Ann", prompt: "Anna's friend {} is", targetNew: "here", targetTrue: "there")),
  ]

  @Test func plainLines() throws {
    let lines = """
      {"prompt": "The capital of {Australia} is", "target": "Canberra"}
      {"template": "Is {} in New York, \\"NY\\"?", "subject": "New York", "target": "yes, it is"}

      {"prompt": "Anna's friend Ann is", "subject": "Ann", "target": "here", "target_true": "there"}
      """
    #expect(try read(lines) == Self.plain)
    #expect(try read(lines.replacing("\n", with: "\r\n") + "\r\n") == Self.plain)
    let array = lines.split(separator: "\n").joined(separator: ",\n")
    #expect(try read("[\(array)]") == Self.plain)
    #expect(
      try read("\u{FEFF}{\n\"prompt\": \"The capital of {Australia} is\",\n\"target\": \"Canberra\"\n}") == [
        Self.plain[0]
      ])
  }

  @Test(arguments: [",", "\t"], ["\n", "\r\n"])
  func plainTable(_ separator: String, _ lineBreak: String) throws {
    let lines = [
      ["prompt", "template", " subject", "target", "target_true "],
      ["The capital of {Australia} is", "", "", "Canberra", ""],
      ["", #""Is {} in New York, ""NY""?""#, "New York", #""yes, it is""#, ""],
      ["Anna's friend Ann is", "", "Ann", "here", "there"],
    ]
    let text = lines.map { $0.joined(separator: separator) }.joined(separator: lineBreak)
    #expect(try read(text) == Self.plain)
    #expect(try read("\u{FEFF}" + text + lineBreak) == Self.plain)
  }

  @Test func fieldsOfATableCanHaveLineBreaks() throws {
    let records = try read("prompt,target\n\"{A}\nis\",b\n")
    #expect(records.map(\.fact.prompt) == ["{}\nis"])
  }

  @Test(arguments: [
    (
      #"{"prompt": "A is", "target": "b"}"#,
      #"'subject': is missing; name it, or put the subject into braces in the prompt "A is""#
    ),
    (#"{"prompt": "{ } is", "target": "b"}"#, "'prompt': has an empty subject in its braces"),
    (#"{"prompt": "A is", "subject": "A"}"#, "'target': is missing"),
    (#"{"prompt": "{A} is", "target": " "}"#, "'target': is empty"),
    (
      #"{"template": "A is", "subject": "A", "target": "b"}"#,
      #"'template': must contain {} exactly once, where the subject stands, found "A is""#
    ),
    (#"{"subject": "A", "target": "b"}"#, "'prompt': is missing"), (#"{"target": "b"}"#, "'prompt': is missing"),
  ])
  func badPlain(_ record: String, _ message: String) {
    expectError("record 1 (line 2), field \(message)", #"{"prompt": "{A} is", "target": "b"}"# + "\n" + record)
  }

  @Test(arguments: [
    (
      "prompt,target\n{A} is,b,c",
      "record 0 (line 2): has 3 fields, and the header 2; a field with the separator in it must stand in quotation "
        + "marks"
    ),
    (
      "prompt,target\n\"{A} is,b\n",
      "record 0 (line 2): the quotation mark at byte 14 does not end with its field; write quotation marks within a "
        + "field twice"
    ),
    (
      "prompt,target\n\"{A}\" is,b\n",
      "record 0 (line 2): the quotation mark at byte 14 does not end with its field; write quotation marks within a "
        + "field twice"
    ),
    (
      "\"prompt,target",
      "header: the quotation mark at byte 0 does not end with its field; write quotation marks within a field twice"
    ),
    ("prompt,prompt,target\n", "the header names the column 'prompt' twice; rename one of the two"),
    (
      "target,source,prompt,source,prompt,target\n", "the header names the column 'source' twice; rename one of the two"
    ),
    ("prompt,target\n{A} is,\n", "record 0 (line 2), field 'target': is missing"),
    ("question,answer\nx,y\n", unknownFormat), ("nothing", unknownFormat), ("prompt,target\n", "holds no facts"),
    (" \n", "holds no facts"), ("", "holds no facts"),
  ])
  func badTables(_ text: String, _ message: String) {
    expectError(message, text)
  }

  private static let schemas =
    "CounterFact (requested_rewrite); zsRE (src, alt, answers, rephrase, loc, loc_ans); "
    + "EasyEdit (prompt, subject, target_new); plain (prompt, target, and subject or braces around it)"
  private static let unknownFormat =
    "is neither a JSON array of records, nor JSON objects line by line, nor CSV with a header that names a column "
    + "prompt or template"

  @Test(arguments: [
    (
      "{\"prompt\": \"{A} is\", \"target\": \"b\"}\n{\"prompt\": x}",
      "record 1 (line 2): not valid JSON at byte 47: a value is expected"
    ),
    ("{\"prompt\": \n", "record 0 (line 1): not valid JSON at byte 11: the text ends where a value is expected"),
    ("[{\"a\": 1, \"b\": 2}]", "record 0 (line 1): has the fields a, b, those of no known schema: \(schemas)"),
    ("[{}]", "record 0 (line 1): has no fields, those of no known schema: \(schemas)"),
    ("[3]", "record 0 (line 1): must be an object, found a number"),
    ("{\"prompt\": \"{A} is\", \"target\": \"b\"}\n3", "record 1 (line 2): must be an object, found a number"),
  ])
  func badLines(_ text: String, _ message: String) {
    expectError(message, text)
  }

  @Test func hostileFiles() throws {
    let long = String(repeating: "x", count: 100_001)
    expectError(
      "record 0 (line 1), field 'target': is longer than 100000 bytes", #"{"prompt": "{A} is", "target": "\#(long)"}"#,
      .damagedInput)
    expectError(
      "record 0 (line 1), field 'paraphrase_prompts': is longer than 100000 bytes",
      #"[{"requested_rewrite": {"prompt": "{} is", "subject": "A", "target_new": {"str": "b"}}, "#
        + #""paraphrase_prompts": ["\#(long)"]}]"#, .damagedInput)
    for nested in [String(repeating: "[", count: 100_000), String(repeating: #"{"a":"#, count: 100_000)] {
      expectError(
        nested.hasPrefix("[")
          ? "not valid JSON at byte 64: nested more than 64 levels deep"
          : "record 0 (line 1): not valid JSON at byte 320: nested more than 64 levels deep", nested,
        .damagedInput)
    }
    expectError(
      "record 1 (line 2): not valid JSON at byte 356: nested more than 64 levels deep",
      #"{"prompt": "{A} is", "target": "b"}"# + "\n" + String(repeating: #"{"a":"#, count: 100_000), .damagedInput)
    let path = directory.path + "/facts"
    try Data(Array("prompt,target\n{A} is,b\n{A} is,".utf8) + [0xFF, 0x0A]).write(to: URL(filePath: path))
    #expect(throws: ErrataError(.usage, "\(path): record 1 (line 3): is not UTF-8 text near byte 23")) {
      try FactRecord.read(path)
    }
    let file = try FileHandle(forWritingTo: URL(filePath: path))
    try file.truncate(atOffset: 1 << 30 + 1)
    #expect(throws: ErrataError(.damagedInput, "\(path): is longer than 1024 MiB, more than a facts file can be")) {
      try FactRecord.read(path)
    }
    let tooMany = "holds more than 1000000 records; split it"
    expectError(tooMany, String(repeating: "{}\n", count: 1_000_001), .damagedInput)
    expectError(tooMany, "[" + String(repeating: "3,", count: 1_000_000) + "3]", .damagedInput)
    expectError(tooMany, "prompt,target\n" + String(repeating: "a,b\n", count: 1_000_001), .damagedInput)
  }

  /// What Spec/inputs.md says is the most is read.
  @Test func atTheLimits() throws {
    func read(_ text: String) throws -> [FactFile.Record] {
      let path = directory.path + "/facts"
      try Data(text.utf8).write(to: URL(filePath: path))
      return try FactFile.records(path)
    }
    let count = 1_000_000
    #expect(try read(String(repeating: "{}\n", count: count)).count == count)
    #expect(try read("[" + String(repeating: "3,", count: count - 1) + "3]").count == count)
    #expect(try read("prompt,target\n" + String(repeating: "a,b\n", count: count)).count == count)
    let longest = String(repeating: "x", count: 100_000)
    _ = try read(#"{"prompt": "{A} is", "target": "\#(longest)"}"#)
    #expect(try FactRecord.read(directory.path + "/facts").map(\.fact.targetNew) == [longest])
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
    }
    _ = try read(#"{"prompt": "{A} is", "target": "b", "x": \#(nested(63))}"#)
    #expect(try FactRecord.read(directory.path + "/facts").count == 1)
    _ = try read(#"{"prompt": "{A} is", "target": "b", "x": \#(nested(64))}"#)
    #expect(throws: ErrataError.self) { try FactRecord.read(directory.path + "/facts") }

    let root = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    let page = try String(contentsOf: root.appending(path: "Spec/inputs.md"), encoding: .utf8)
    for row in [
      "records in it: elements, lines or rows | 1,000,000", "a text of a record | 100,000 bytes",
      "nesting of its JSON | 64", "a facts file, or what standard input gives of one | 1 GiB",
    ] { #expect(page.contains("| \(row) |")) }
    #expect((FactFile.maximumRecords, FactFields.maximumLength, FactFile.maximumLength) == (count, 100_000, 1 << 30))
  }

  /// It separates the parts of a fact's ID, and ends texts elsewhere.
  @Test(arguments: [
    (
      #"[{"requested_rewrite": {"prompt": "{} i\u0000s", "subject": "A", "target_new": {"str": "b"}}}]"#,
      "requested_rewrite.prompt"
    ),
    (
      #"[{"requested_rewrite": {"prompt": "{} is", "subject": "A\u0000", "target_new": {"str": "b"}}}]"#,
      "requested_rewrite.subject"
    ),
    (#"[{"prompt": "A is", "subject": "A", "target_new": "\u0000b"}]"#, "target_new"),
    (#"[{"prompt": "A is", "subject": "A", "target_new": "b", "ground_truth": ["\u0000"]}]"#, "ground_truth"),
    (#"[{"prompt": "A is", "subject": "A", "target_new": "b", "rephrase": ["\u0000"]}]"#, "rephrase"),
    (#"[{"prompt": "A is", "subject": "A", "target_new": "b", "source": "\u0000"}]"#, "source"),
    ("prompt,target\n{A} is,b\0", "target"),
  ])
  func noNUL(_ text: String, _ field: String) {
    let line = text.hasPrefix("[") ? 1 : 2
    expectError("record 0 (line \(line)), field '\(field)': holds a NUL character; remove it", text)
  }

  private func expectError(
    _ message: String, _ text: String, _ category: ErrataError.Kind = .usage,
    at location: SourceLocation = #_sourceLocation
  ) {
    #expect(
      throws: ErrataError(category, "\(directory.path)/facts: \(message)"), sourceLocation: location
    ) { try read(text) }
  }
}
