import Foundation
import Testing

extension ToolTests {
  /// Outputs that cannot be written: said before the work, not after it.
  @Suite struct BadOutputs {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    private let edit = [
      "edit", "samples/model", "--facts", "samples/facts.json", "--records", "0", "--stats",
      "samples/stats.safetensors",
      "-o",
    ]
    private let stats = ["stats", "samples/model", "--text", "samples/corpus.txt", "-o"]

    @Test func withoutDirectory() throws {
      for command in [edit, stats] {
        try scratch.fail(
          command + ["nowhere/out"], exitCode: 1,
          message: "errata \(command[0]): nowhere/out: cannot write: its directory does not exist; make it first")
      }
    }

    @Test func belowAFile() throws {
      try scratch.write("", to: "file")
      for command in [edit, stats] {
        try scratch.fail(
          command + ["file/out"], exitCode: 1,
          message: "errata \(command[0]): file/out: cannot write: its directory does not exist; make it first")
      }
    }

    @Test func aDirectory() throws {
      for command in [edit, stats] {
        try scratch.fail(
          command + ["samples"], exitCode: 1,
          message: "errata \(command[0]): samples: is a directory; name a file to write")
      }
    }

    /// A slip must not cost an input.
    @Test func anInput() throws {
      try scratch.copyModel()
      try scratch.write("[]", to: "facts.json")
      for output in ["model/model.safetensors", "facts.json"] {
        for command in [edit, stats] {
          try scratch.fail(
            command + [output], exitCode: 1,
            message: "errata \(command[0]): \(output): is there already, and not what this tool writes; "
              + "name another output")
        }
      }
      try scratch.expectSampleModel("model")
    }

    /// The tools that make a patch of patches.
    static let makers = [
      ["resolve", "p.wpatch", "--lambda", "2"], ["drop", "p.wpatch", "--fact", "Seattle"],
      ["compact", "p.wpatch", "--compression-level", "19"], ["compact", "p.wpatch", "--factors", "i8"],
      ["stack", "q.wpatch", "p.wpatch"], ["sign", "p.wpatch", "--key", "key"],
    ]

    @Test(arguments: makers) func aPatchReplacesOnlyPatches(command: [String]) throws {
      try copyPatches()
      try scratch.write("what I know", to: "notes.txt")
      try scratch.fail(
        command + ["-o", "notes.txt"], exitCode: 1,
        message: "errata \(command[0]): notes.txt: is there already, and not what this tool writes; "
          + "name another output")
      #expect(try scratch.bytes("notes.txt") == Array("what I know".utf8))
      try scratch.fail(
        command + ["-o", "samples"], exitCode: 1,
        message: "errata \(command[0]): samples: is a directory; name a file to write")
      try scratch.fail(
        command + ["-o", ""], exitCode: 2,
        message: "errata \(command[0]): the name of the output is empty; name a file to write")
      try scratch.succeed(command + ["-o", "result.wpatch"])
      let bytes = try scratch.bytes("result.wpatch")
      try scratch.write(scratch.bytes("q.wpatch"), to: "result.wpatch")
      try scratch.fail(
        command + ["-o", "result.wpatch"], exitCode: 1,
        message:
          "errata \(command[0]): result.wpatch: is there already; name another output, or replace it with --force")
      #expect(try scratch.bytes("result.wpatch") == scratch.bytes("q.wpatch"))
      try scratch.succeed(command + ["-o", "result.wpatch", "--force"], environment: Self.epoch)
      #expect(try scratch.bytes("result.wpatch") != scratch.bytes("q.wpatch") && !bytes.isEmpty)
    }

    private static let epoch = ["SOURCE_DATE_EPOCH": "1770000000"]

    /// The same bytes come out of a pipe, and what the tool says goes to standard error. (A signature names its file.)
    @Test(arguments: makers.dropLast()) func aPatchGoesToStandardOutput(command: [String]) throws {
      try copyPatches()
      try scratch.succeed(command + ["-o", "result.wpatch"], environment: Self.epoch)
      let quoted = (command + ["-o", "-"]).map { "'\($0)'" }.joined(separator: " ")
      let piped = try Tool.run(
        "/bin/sh", ["-c", "'\(Tool.folder)/errata' \(quoted) | cat > piped.wpatch"], in: scratch.path,
        environment: Self.epoch)
      #expect(try scratch.bytes("piped.wpatch") == scratch.bytes("result.wpatch"))
      #expect(piped.output == "" && piped.errors.contains("-: "))
    }

    @Test(arguments: makers.dropLast()) func anInputPatchIsNotReplaced(command: [String]) throws {
      try copyPatches()
      let bytes = try scratch.bytes("p.wpatch")
      try FileManager.default.createSymbolicLink(
        atPath: scratch("link.wpatch"), withDestinationPath: scratch("p.wpatch"))
      for output in ["p.wpatch", "./p.wpatch", "link.wpatch"] {
        try scratch.fail(
          command + ["-o", output], exitCode: 2,
          message: "errata \(command[0]): \(output): is an input, which would be lost; name another output")
      }
      #expect(try scratch.bytes("p.wpatch") == bytes)
    }

    @Test func aPatchIsSignedInPlace() throws {
      try copyPatches()
      try scratch.succeed("sign", "p.wpatch", "--key", "key", "-o", "p.wpatch")
      #expect(try scratch.succeed("sign", "p.wpatch", "--key", "key").output.contains("already signed"))
    }

    private func copyPatches() throws {
      try scratch.write(scratch.bytes("samples/five-facts.wpatch"), to: "p.wpatch")
      try scratch.write(scratch.bytes("samples/eiffel-tower.wpatch"), to: "q.wpatch")
      try scratch.succeed("keygen", "-o", "key")
    }

    @Test func inputStatisticsAreNotReplaced() throws {
      try scratch.write(scratch.bytes("samples/stats.safetensors"), to: "s")
      try scratch.fail(
        "stats", "merge", "samples/stats.safetensors", "s", "-o", "s", exitCode: 2,
        message: "errata stats merge: s: is an input, which would be lost; name another output")
    }

    @Test func aParentIsNotReplaced() throws {
      try copyPatches()
      try scratch.fail(
        edit + ["q.wpatch", "--after", "q.wpatch"], exitCode: 2,
        message: "errata edit: q.wpatch: is an input, which would be lost; name another output")
    }

    @Test func anEarlierResultIsReplacedByForce() throws {
      let command = edit + ["o.wpatch", "--quiet"]
      try scratch.succeed(command)
      try scratch.fail(
        command, exitCode: 1,
        message: "errata edit: o.wpatch: is there already; name another output, or replace it with --force")
      try scratch.succeed(command + ["--force"])
    }

    /// The superuser writes where others may not.
    @Test(.enabled(if: geteuid() != 0)) func readOnlyDirectory() throws {
      try FileManager.default.createDirectory(atPath: scratch("locked"), withIntermediateDirectories: false)
      chmod(scratch("locked"), 0o555)
      for command in [edit, stats] {
        try scratch.fail(
          command + ["locked/out"], exitCode: 1,
          message: "errata \(command[0]): locked/out: cannot write: permission denied; name another output")
      }
      for option in [[], ["--dry-run"]] {
        try scratch.fail(
          ["apply", "samples/model", "samples/eiffel-tower.wpatch", "-o", "locked/out"] + option, exitCode: 1,
          message: "errata apply: locked/out: cannot write: permission denied; name another output")
      }
      #expect(try scratch.names(in: "locked") == [])
    }

    @Test func takenAlready() throws {
      try scratch.copyModel(to: "taken")
      try scratch.fail(
        "apply", "samples/model", "samples/eiffel-tower.wpatch", "-o", "taken", exitCode: 1,
        message: "errata apply: taken: exists already; name an output that does not")
      try scratch.expectSampleModel("taken")
      try scratch.succeed("apply", "samples/model", "samples/eiffel-tower.wpatch", "-o", "edited", "--quiet")
      try scratch.fail(
        "revert", "edited", "-o", "taken", exitCode: 1,
        message: "errata revert: taken: exists already; name an output that does not")
    }

    /// A dry run finds what would keep the real one from writing, and says it in the same words.
    @Test func aDryRunLooksAtTheOutput() throws {
      try scratch.copyModel()
      try scratch.copyModel(to: "taken")
      try scratch.write("", to: "file")
      try scratch.succeed("apply", "samples/model", "samples/eiffel-tower.wpatch", "-o", "edited", "--quiet")
      let apply = ["apply", "model", "samples/eiffel-tower.wpatch"]
      let missing = "cannot write: its directory does not exist; make it first"
      for command in [apply, ["revert", "edited"]] {
        for (output, exitCode, text) in [
          ("taken", 1, "taken: exists already; name an output that does not"),
          ("nowhere/out", 1, "nowhere/out: \(missing)"), ("file/out", 1, "file/out: \(missing)"),
          ("", 2, "the name of the output is empty; name a file to write"),
          (
            "\(command[1])/out", 2,
            "\(command[1])/out: lies in the checkpoint \(command[1]); name an output outside of it"
          ),
        ] as [(String, Int32, String)] {
          for option in [[], ["--dry-run"]] {
            try scratch.fail(
              command + ["-o", output] + option, exitCode: exitCode, message: "errata \(command[0]): \(text)")
          }
        }
        let before = try scratch.names()
        try scratch.succeed(command + ["-o", "free", "--dry-run"])
        #expect(try scratch.names() == before)
      }
      try FileManager.default.createDirectory(atPath: scratch("empty"), withIntermediateDirectories: false)
      try scratch.succeed(apply + ["-o", "empty/", "--dry-run"])
    }

    @Test func insideTheCheckpoint() throws {
      try scratch.copyModel()
      try scratch.fail(
        "apply", "model", "samples/eiffel-tower.wpatch", "-o", "model/edited", exitCode: 2,
        message: "errata apply: model/edited: lies in the checkpoint model; name an output outside of it")
      try scratch.expectSampleModel("model")
    }
  }
}
