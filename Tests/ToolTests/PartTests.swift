import Foundation
import Safetensors
import SecondMomentStatistics
import Tensors
import Testing

extension ToolTests {
  /// Work that several processes do, each a part of it.
  @Suite struct Parts {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private func edit(_ output: String, _ options: String...) throws -> [String] {
      [
        "edit", "samples/model", "--facts", "Facts.json", "--stats", "samples/stats.safetensors", "--layers", "1",
        "--steps", "3", "--templates", "templates.json", "-o", output, "--quiet",
      ] + options
    }

    /// So many contexts that a few facts at a time are searched together.
    private func writeFacts(_ count: Int, contexts: Int = 2) throws {
      let templates = (0..<contexts).map { index in JSON(index == 0 ? "{}" : "This is number \(index) of them. {}") }
      try scratch.write(JSON.array(templates).serialized(), to: "templates.json")
      let records = try #require(JSON.parse(scratch.bytes("samples/facts.json")).arrayValue)
      try scratch.write(JSON.array(Array(records.prefix(count))).serialized(), to: "Facts.json")
    }

    /// The parts in any order, one of them interrupted or lost in between, give the patch of one run, byte for byte.
    @Test func partsOfAnEditGiveThePatchOfOneRun() throws {
      try writeFacts(20, contexts: 120)
      let environment = ["SOURCE_DATE_EPOCH": "1700000000"]
      try scratch.succeed(edit("whole.wpatch"), environment: environment)
      var found = 0
      for part in ["3/3", "1/3"] {
        let answer = try scratch.succeed(edit("\(part.first!).values", "--part", part, "--json")).json
        #expect(answer["part"]?.stringValue == part && answer["facts"] == 20)
        found += try #require(answer["found"]?.integerValue)
      }
      #expect(found > 0 && found < 20)
      try scratch.fail(
        edit("fix.wpatch", "--values", "1.values", "3.values"), exitCode: 1,
        message: "errata edit: the files have no values of \(20 - found) of 20 facts: those of part 2/3 are missing; "
          + "search them with 'errata edit --part'")
      #expect(!scratch.exists("fix.wpatch"))
      try scratch.succeed(
        edit("2.values", "--part", "auto"), environment: ["OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "3"])
      #expect(try scratch.names().allSatisfy { !$0.hasSuffix(".partial") })
      try scratch.succeed(edit("fix.wpatch", "--values", "2.values", "3.values", "1.values"), environment: environment)
      #expect(try scratch.bytes("fix.wpatch") == scratch.bytes("whole.wpatch"))
    }

    @Test func refusesValuesOfSomethingElse() throws {
      try writeFacts(3)
      try scratch.succeed(edit("all.values", "--part", "1/1", "--steps", "2"))
      try scratch.fail(
        edit("x.wpatch", "--values", "all.values"), exitCode: 3,
        message:
          "errata edit: all.values: its values were searched on another model, or with other templates, settings "
          + "or parents; search them again with these")
      try scratch.fail(
        edit("x.wpatch", "--values", "samples/stats.safetensors"), exitCode: 1,
        message: "errata edit: samples/stats.safetensors: is no file of values; search them with 'errata edit --part'")
      var bytes = try scratch.bytes("all.values")
      bytes.removeLast(8)
      try scratch.write(bytes, to: "cut.values")
      let cut = try Tool.errata(edit("x.wpatch", "--values", "cut.values"), in: scratch.path)
      #expect(cut.exitCode == 6 && cut.errors.split(separator: "\n").count == 1 && !scratch.exists("x.wpatch"))
      try scratch.fail(
        edit("x.values", "--part", "1/2", "--method", "rome"), exitCode: 2,
        message: "errata edit: rome searches each fact on top of those before it, which cannot be done in parts; use "
          + "memit or emmet")
      // A patch is not replaced by values.
      try scratch.write(scratch.bytes("samples/five-facts.wpatch"), to: "five.wpatch")
      let result = try Tool.errata(edit("five.wpatch", "--part", "1/2"), in: scratch.path)
      #expect(result.exitCode != 0)
      #expect(try scratch.bytes("five.wpatch") == scratch.bytes("samples/five-facts.wpatch"))
    }

    /// What a run would cost is said, and nothing is written.
    @Test func estimatesSecondMoments() throws {
      let before = try scratch.names()
      let answer = try scratch.succeed(
        "stats", "samples/model", "--text", "samples/corpus.txt", "--layers", "0-2", "--tokens", "5000", "--part",
        "1/2",
        "--dry-run", "--json"
      ).json
      #expect(answer["tokens"] == .integer(5 * 512) && answer["layers"] == [0, 1, 2])
      #expect(answer["seconds"]?.doubleValue.map { $0 > 0 && $0 < 60 } == true)
      // Three triangles of 512 rows are the least.
      #expect(answer["bytes"]?.integerValue.map { $0 > 3 * 512 * 513 / 2 * 8 } == true)
      #expect(try scratch.names() == before)
      try scratch.fail(
        "stats", "samples/model", "--text", "samples/corpus.txt", exitCode: 2,
        message: "errata stats: give --output: the file to write (see 'errata stats --help')")
    }

    /// All parts of a text, merged, are the text: the same tokens, the same origin, the same C but for binary32.
    @Test func partsOfSecondMomentsMakeTheWhole() throws {
      func collect(_ output: String, _ options: String...) throws {
        try scratch.succeed(
          [
            "stats", "samples/model", "--text", "samples/corpus.txt", "--layers", "1", "--tokens", "5000",
            "--sequence-length", "64", "-o", output, "--quiet",
          ] + options)
      }
      try collect("whole.safetensors")
      for part in 1...3 { try collect("\(part).safetensors", "--part", "\(part)/3") }
      try scratch.succeed(
        "stats", "merge", "2.safetensors", "1.safetensors", "3.safetensors", "-o", "merged.safetensors")
      let whole = try SecondMoments(contentsOf: scratch("whole.safetensors"))
      let merged = try SecondMoments(contentsOf: scratch("merged.safetensors"))
      #expect(merged.origin == whole.origin && merged.tokenCount == whole.tokenCount)
      let (expected, found) = try (whole.triangle(layer: 1), merged.triangle(layer: 1))
      for row in 0..<expected.size {
        for column in 0...row {
          let scale = (expected[row, row] * expected[column, column]).squareRoot()
          #expect(abs(found[row, column] - expected[row, column]) < 1e-6 * scale)
        }
      }
      // Two of them are a text of their own; one twice is refused.
      try scratch.succeed("stats", "merge", "1.safetensors", "3.safetensors", "-o", "two.safetensors")
      #expect(
        try SecondMoments(contentsOf: scratch("two.safetensors")).origin.corpus
          == "corpus.txt (part 1/3), corpus.txt (part 3/3)")
      let twice = try scratch.errata("stats", "merge", "1.safetensors", "1.safetensors", "-o", "twice.safetensors")
      #expect(twice.exitCode == 1 && !scratch.exists("twice.safetensors"))
    }
  }
}
