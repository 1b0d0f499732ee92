import Foundation
import Testing

extension ToolTests {
  @Suite struct Usage {
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    @Test func suggestsTheCommandThatWasMeant() throws {
      try scratch.fail("aply", "x", exitCode: 2, message: "errata: 'aply' is not a command: did you mean 'apply'?")
      try scratch.fail("xyzzy", exitCode: 2, message: "errata: 'xyzzy' is not a command (see 'errata --help')")
    }

    @Test func neverRunsAPath() throws {
      try scratch.fail(
        "../errata-show", exitCode: 2, message: "errata: '../errata-show' is not a command (see 'errata --help')")
    }

    @Test func explainsItself() throws {
      #expect(try scratch.succeed("--version").output == "errata 0.1.0\n")
      let overview = try scratch.succeed("--help").output
      let programs = try FileManager.default.contentsOfDirectory(atPath: Tool.folder)
        .filter { $0.wholeMatch(of: #/errata-[a-z]+/#) != nil }
      #expect(programs.count > 10)
      for command in programs.map({ $0.dropFirst("errata-".count) }).map(String.init) {
        #expect(overview.contains("\n  \(command) "))
        #expect(try scratch.succeed(command, "--help").output.contains("USAGE: errata \(command)"))
        #expect(try scratch.succeed("help", command).output == scratch.succeed(command, "--help").output)
      }
    }

    /// A command is listed under one heading, once, and nothing is listed that is not there.
    @Test func listsEachCommandOnce() throws {
      let listed = try scratch.succeed("help").output.split(separator: "\n").filter { $0.hasPrefix("  ") }
        .compactMap { $0.split(separator: " ").first.map(String.init) }
      let programs = try FileManager.default.contentsOfDirectory(atPath: Tool.folder)
        .filter { $0.wholeMatch(of: #/errata-[a-z]+/#) != nil }.map { String($0.dropFirst("errata-".count)) }
      #expect(listed.sorted() == programs.sorted())
    }

    @Test(arguments: ["stats show", "stats merge", "stats factor", "stats import", "facts check"])
    func helpExplainsACommandOfACommand(command: String) throws {
      let words = command.split(separator: " ").map(String.init)
      let help = try scratch.succeed(["help"] + words).output
      #expect(help.contains("USAGE: errata \(command) "))
      #expect(try help == scratch.succeed(words + ["--help"]).output)
    }

    @Test func helpNamesWhatIsNotACommand() throws {
      try scratch.fail("help", "aply", exitCode: 2, message: "errata: 'aply' is not a command: did you mean 'apply'?")
      try scratch.fail(
        "help", "glossary", "slack", exitCode: 2, message: "errata: 'glossary' is not a command (see 'errata --help')")
    }

    /// Terms stand in alphabetical order at the margin, each with its explanation below it, and fit a terminal.
    @Test func glossaryExplainsTheWords() throws {
      let lines = try scratch.succeed("help", "glossary").output.split(separator: "\n").map(String.init)
      let terms = lines.filter { !$0.hasPrefix(" ") }
      #expect(terms == terms.sorted { $0.lowercased() < $1.lowercased() })
      for term in ["clamp", "lambda, slack", "preservation", "short"] { #expect(terms.contains(term)) }
      for (line, next) in zip(lines, lines.dropFirst()) where !line.hasPrefix(" ") {
        #expect(next.hasPrefix("  "), "\(line)")
      }
      #expect(lines.allSatisfy { $0.count <= 80 })
      #expect(lines.last?.hasPrefix("  ") == true)
    }

    @Test(arguments: ["errata", "errata-ask"])
    func refusesArgumentsThatAreNotText(program: String) throws {
      let command =
        "\(Tool.folder)/\(program) \(program == "errata" ? "ask " : "")samples/model \"$(printf 'Lou\\377re')\""
      let result = try Tool.run("/bin/sh", ["-c", command], in: scratch.path)
      #expect(result.exitCode == 2)
      #expect(result.output == "")
      #expect(
        result.errors
          == (program == "errata"
            ? "errata: argument 3 is not UTF-8 text\n" : "errata ask: argument 2 is not UTF-8 text\n"))
    }

    /// What the source breaks and the terminal breaks again is ragged.
    @Test func paragraphsFillTheirLines() throws {
      for command in Self.commands {
        let help = try scratch.succeed(command + ["--help"]).output
        let lines = help.prefix(upTo: try #require(help.range(of: "\nUSAGE:")).lowerBound)
          .split(separator: "\n", omittingEmptySubsequences: false)
        for (line, next) in zip(lines, lines.dropFirst()) {
          #expect(line.count <= 80, "\(command): \(line)")
          guard let word = next.split(separator: " ").first, !next.hasPrefix(" "), !line.isEmpty else { continue }
          #expect(line.count + 1 + word.count > 79, "\(command): \(line)")
        }
      }
    }

    static let commands =
      [
        "apply", "ask", "compact", "diff", "drop", "edit", "eval", "keygen", "resolve", "revert", "show", "sign",
        "stack",
        "trace", "tune", "verify", "export", "import",
      ].map { [$0] } + [["stats", "merge"], ["stats", "import"], ["stats", "factor"]]

    @Test func saysWhatANumberMustBe() throws {
      try scratch.fail(
        "resolve", "samples/five-facts.wpatch", "--lambda", "-7", "-o", "o", exitCode: 2,
        message: "errata resolve: --lambda must be zero or more (see 'errata resolve --help')")
      try scratch.fail(
        "compact", "samples/five-facts.wpatch", "--rank", "-1", "-o", "o", exitCode: 2,
        message: "errata compact: --rank must be positive (see 'errata compact --help')")
      try scratch.fail(
        "trace", "samples/model", "x", "--top", "-1", exitCode: 2,
        message: "errata trace: --top must be positive (see 'errata trace --help')")
    }

    @Test func namesTheMissingOption() throws {
      let edit = ["edit", "samples/model", "--facts", "samples/facts.json", "--stats", "samples/stats.safetensors"]
      try scratch.fail(
        "edit", "samples/model", "--stats", "samples/stats.safetensors", "-o", "o.wpatch", exitCode: 2,
        message: "errata edit: Missing expected argument '--facts <facts>' (see 'errata edit --help')")
      try scratch.fail(
        edit[0], edit[1], edit[2], edit[3], edit[4], edit[5], exitCode: 2,
        message: "errata edit: give --output: the patch to write (see 'errata edit --help')")
    }
  }
}
