import Foundation
import Tensors
import Testing

extension ToolTests {
  /// `errata edit --protect`, and what the other tools do with such a patch.
  @Suite struct Protection {
    let scratch: Scratch

    init() throws {
      scratch = try Scratch()
      try scratch.write("Taj Mahal\n  Anton Chekhov \n\nTaj Mahal\n", to: "subjects.txt")
    }

    private func edit(_ options: [String]) -> [String] {
      [
        "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0-2", "--stats",
        "samples/stats.safetensors", "--method", "memit", "--lambda", "1", "--steps", "5", "-o", "fix.wpatch",
        "--quiet",
      ] + options
    }

    @Test func holdsSubjectsAndFacts() throws {
      try scratch.succeed(edit(["--protect", "subjects.txt", "--protect-weight", "4"]))
      let shown = try scratch.succeed("show", "fix.wpatch").output
      #expect(shown.contains(#/\nprotects    2 subjects, weight 4, keys [0-9a-f]{12}\n/#))
      #expect(shown.contains(", keys F16"))
      let batch = try scratch.succeed("show", "fix.wpatch", "--json").json["manifest"]?["batches"]?.arrayValue?[0]
      #expect(batch?["metric"]?["held"]?.arrayValue?.map { $0["keys"] } == [2])
      let facts = try #require(batch?["facts"]?.arrayValue?.compactMap { $0["id"]?.stringValue })
      // It is a patch like others: applied and taken back, solved again, and without a fact.
      try scratch.succeed("apply", "samples/model", "fix.wpatch", "-o", "edited", "--quiet")
      try scratch.succeed("verify", "edited", "--base", "samples/model", "--quiet")
      try scratch.succeed("resolve", "fix.wpatch", "--lambda", "2", "-o", "softer.wpatch")
      try scratch.succeed("drop", "fix.wpatch", "--fact", facts[0], "-o", "fewer.wpatch")
      #expect(try scratch.succeed("show", "fewer.wpatch").output.contains("protects    2 subjects, weight 4"))
      // Its directions are made for keys that no patch has.
      let stacked = try scratch.errata(
        "stack", "fix.wpatch", "--resolve", "--lambda", "1", "-o", "x.wpatch")
      #expect(stacked.exitCode == 1 && stacked.errors.contains("holds keys that are not in the stack"))
      // A facts file names subjects too; those that are edited themselves are left out.
      try scratch.succeed(edit(["--protect", "samples/facts.json", "--force"]))
      #expect(try scratch.succeed("show", "fix.wpatch").output.contains("protects    37 subjects, weight 1, keys "))
    }

    @Test func refusesWhatIsNone() throws {
      try scratch.write([0x61, 0x0A, 0xFF, 0x0A], to: "bytes.txt")
      try scratch.fail(
        edit(["--protect", "bytes.txt"]), exitCode: 2, message: "errata edit: bytes.txt: line 2 is not UTF-8 text")
      try scratch.write("\n \n", to: "empty.txt")
      try scratch.fail(
        edit(["--protect", "empty.txt"]), exitCode: 2, message: "errata edit: empty.txt: holds no facts")
      try scratch.fail(
        edit(["--protect-weight", "2"]), exitCode: 2,
        message: "errata edit: --protect-weight goes with --protect (see 'errata edit --help')")
      try scratch.fail(
        edit(["--protect", "subjects.txt", "--protect-weight", "0"]), exitCode: 2,
        message: "errata edit: --protect-weight must be from 1e-12 to 1e12 (see 'errata edit --help')")
      try scratch.fail(
        edit(["--protect", "subjects.txt", "--method", "rome", "--published-rome"]), exitCode: 2,
        message: "errata edit: published ROME's constraint is not at the key that its direction comes from, so nothing "
          + "can be held; protect with another method")
    }
  }
}
