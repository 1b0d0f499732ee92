import Foundation
import KnowledgeEditing
import Tensors
import TestSupport
import Testing

@testable import EditEvaluation
@testable import Facts

/// Records that cannot be used: all are told, with record and line, and the others go on if that is asked for.
@Suite struct InvalidRecordTests {
  private let directory: TemporaryDirectory
  private let told = Told()

  init() throws { directory = try TemporaryDirectory() }

  private func read(_ text: String, skipping: Bool = false, selection: String? = nil) throws -> [FactRecord] {
    try directory.write(text, to: "facts")
    return try FactRecord.read(
      directory("facts"), selection: selection, invalid: told.invalid(areSkipped: skipping))
  }

  private var lines: [String] { told.lines.map { $0.replacing(directory("facts"), with: "FACTS") } }

  private func expectError(
    _ message: String, _ category: ErrataError.Kind = .usage, at location: SourceLocation = #_sourceLocation,
    _ body: () throws -> Void
  ) {
    #expect(
      throws: ErrataError(category, "\(directory("facts")): \(message)"), sourceLocation: location, performing: body)
  }

  private let array = """
    [{"prompt": "A is", "subject": "A", "target_new": "b"},

      {"prompt": "A is", "subject": "C", "target_new": "b"}, 3,
      {"prompt": "D is", "subject": "D",
       "target_new": "b"}, {"prompt": "A is", "subject": "A"}]
    """
  private let problems = [
    "FACTS: record 1 (line 3), field 'prompt': does not contain the subject \"C\", found \"A is\"",
    "FACTS: record 2 (line 3): must be an object, found a number",
    "FACTS: record 4 (line 5), field 'target_new': is missing",
  ]

  @Test func arrays() throws {
    expectError(
      "3 of 5 records cannot be used, as listed; correct them, or leave them out"
    ) { _ = try read(array) }
    #expect(lines == problems)
    #expect(try read(array, skipping: true).map(\.fact.subject) == ["A", "D"])
    #expect(lines.suffix(3) == problems.map { $0 + "; left out" }[...])
  }

  /// What was not asked for is not judged.
  @Test func selections() throws {
    #expect(try read(array, selection: "0").map(\.place?.line) == [1])
    #expect(try read(array, skipping: true, selection: "1-3").map(\.place?.record) == [3])
    #expect(lines == problems.prefix(2).map { $0 + "; left out" })
    expectError("none of its records can be used, as listed") {
      _ = try read(array, skipping: true, selection: "1-2")
    }
    // One alone needs no list.
    expectError("record 1 (line 3), field 'prompt': does not contain the subject \"C\", found \"A is\"") {
      _ = try read(array, selection: "1")
    }
  }

  @Test(arguments: ["\n", "\r\n"], ["", "\u{FEFF}"])
  func lines(_ lineBreak: String, _ mark: String) throws {
    let text =
      mark
      + [
        #"{"prompt": "{A} is", "target": "b"}"#, "", #"{"prompt": x}"#, #"{"prompt": "{B} is", "target": "b"}"#,
        #"{"prompt": "C is", "target": "b"}"#, "",
      ].joined(separator: lineBreak)
    #expect(try read(text, skipping: true).map(\.fact.subject) == ["A", "B"])
    let offset = mark.utf8.count + 46 + 2 * lineBreak.utf8.count
    #expect(
      lines == [
        "FACTS: record 1 (line 3): not valid JSON at byte \(offset): a value is expected; left out",
        "FACTS: record 3 (line 5), field 'subject': is missing; name it, or put the subject into braces in the prompt "
          + "\"C is\"; left out",
      ])
  }

  /// The first line, which else shows what the file is.
  @Test func firstLine() throws {
    #expect(
      try read("{\"prompt\": x}\n{\"prompt\": \"{B} is\", \"target\": \"b\"}", skipping: true).map(\.fact.subject)
        == ["B"])
    #expect(lines == ["FACTS: record 0 (line 1): not valid JSON at byte 11: a value is expected; left out"])
  }

  @Test(arguments: ["\n", "\r\n", "\r"])
  func tables(_ lineBreak: String) throws {
    let text = [
      "prompt,target", "{A} is,b", "{B} is,b,c", "\"{C}\n is\",d", "D is,b", "{E} is,",
    ].joined(separator: lineBreak)
    #expect(try read(text, skipping: true).map(\.fact.subject) == ["A", "C"])
    #expect(
      lines == [
        "FACTS: record 1 (line 3): has 3 fields, and the header 2; a field with the separator in it must stand in "
          + "quotation marks; left out",
        "FACTS: record 3 (line 6), field 'subject': is missing; name it, or put the subject into braces in the prompt "
          + "\"D is\"; left out",
        "FACTS: record 4 (line 7), field 'target': is missing; left out",
      ])
  }

  @Test func noRecordAtAll() throws {
    expectError("2 of 2 records cannot be used, as listed; correct them, or leave them out") {
      _ = try read("prompt,target\nx\ny\n")
    }
    #expect(lines.count == 2)
    expectError("none of its records can be used, as listed") {
      _ = try read("prompt,target\nx\ny\n", skipping: true)
    }
  }

  /// One that goes beyond the limits makes the file one of those.
  @Test func beyondTheLimits() throws {
    let text =
      #"{"prompt": "{A} is", "target": "b"}"# + "\n3\n" + String(repeating: "[", count: 100_000) + "\n"
    expectError(
      "2 of 3 records cannot be used, as listed; correct them, or leave them out", .damagedInput
    ) { _ = try read(text) }
  }

  /// The time goes with the number of rows: with its square, these would take hours.
  @Test(.timeLimit(.minutes(1))) func longTables() throws {
    let rows = (0..<100_000).map { "The capital of {Country \($0)} is,City \($0)" }
    let text = "prompt,target\n" + rows.joined(separator: "\n")
    #expect(try read(text).count == 100_000)
  }
}
