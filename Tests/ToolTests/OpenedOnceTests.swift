import Foundation
import Tensors
import Testing

extension ToolTests {
  /// A command opens each file of a checkpoint once, and computes nothing twice.
  @Suite struct OpenedOnce {
    private static let strace = "/usr/bin/strace"
    private static let isTraceable = FileManager.default.isExecutableFile(atPath: strace)
    let scratch: Scratch

    init() throws { scratch = try Scratch() }

    /// How often a command opened each file in a folder, by its name in it.
    private func opened(_ arguments: [String], in folder: String) throws -> [String: Int] {
      let result = try Tool.run(
        Self.strace,
        ["-f", "-y", "-qq", "-e", "trace=open,openat,openat2", "-o", scratch("trace"), Tool.folder + "/errata"]
          + arguments,
        in: scratch.path, environment: ["SOURCE_DATE_EPOCH": "1700000000"])
      try #require(result.exitCode == 0, "\(result.errors)")
      let root = URL(fileURLWithPath: scratch(folder)).resolvingSymlinksInPath().path + "/"
      var counts: [String: Int] = [:]
      for line in try String(contentsOfFile: scratch("trace"), encoding: .utf8).split(separator: "\n") {
        guard let match = line.firstMatch(of: #/ = [0-9]+<(?<path>[^>]+)>$/#), !line.contains("O_DIRECTORY"),
          match.output.path.hasPrefix(root)
        else { continue }
        counts[String(match.output.path.dropFirst(root.count)), default: 0] += 1
      }
      return counts
    }

    private func edit(_ model: String, _ options: String..., output: String = "x.wpatch") -> [String] {
      [
        "edit", model, "--facts", "samples/facts.json", "--records", "0-2", "--stats", "stats.safetensors", "--quiet",
        "-o", output,
      ] + options
    }

    private func collect() throws {
      try scratch.succeed(
        "stats", "samples/model", "--text", "samples/corpus.txt", "--layers", "0-2", "--tokens", "4000", "--quiet",
        "-o",
        "stats.safetensors")
    }

    @Test(.enabled(if: isTraceable, "needs strace")) func everyFileOfACheckpoint() throws {
      try collect()
      let files = ["config.json", "model.safetensors", "tokenizer.json"]
      for command in [
        edit("samples/model", "--layers", "0-2"),
        edit("samples/model", "--layers", "0-2", "--batch-size", "1", output: "all"),
        ["eval", "samples/model", "--facts", "samples/facts.json", "--records", "0-1", "--quiet"],
        ["trace", "samples/model", "--patch", "samples/five-facts.wpatch", "Leo Tolstoy speaks"],
        ["ask", "samples/model", "The capital of Italy is"],
        [
          "tune", "samples/model", "--facts", "samples/facts.json", "--records", "0-1", "--stats", "stats.safetensors",
          "--layers", "1", "--clamps", "4", "-w", "1", "--quiet",
        ],
      ] {
        let counts = try opened(command, in: "samples/model")
        for file in files { #expect(counts[file] == 1, "errata \(command[0]): \(file)") }
        #expect(counts.values.allSatisfy { $0 == 1 }, "errata \(command[0]): \(counts)")
      }
      // What a sequence has written it reads once, when it is done: to say how far later batches moved earlier facts.
      try scratch.remove("all")
      let written = try opened(
        edit("samples/model", "--layers", "1", "--batch-size", "1", output: "all"), in: "all")
      #expect(written.filter { $0.key.hasSuffix(".wpatch") }.values.allSatisfy { $0 == 1 })
    }

    @Test(.enabled(if: isTraceable, "needs strace")) func everyFileOfALedger() throws {
      try collect()
      try scratch.succeed(edit("samples/model", "--layers", "0-2", output: "first.wpatch"))
      try scratch.succeed("apply", "samples/model", "first.wpatch", "-o", "edited", "--quiet")
      for command in [
        edit("edited", "--layers", "0-2", output: "second.wpatch"), ["trace", "edited", "Leo Tolstoy speaks"],
        edit("edited", "--layers", "0-2", "--after", "second.wpatch", output: "third.wpatch"),
      ] {
        let counts = try opened(command, in: "edited")
        #expect(counts.keys.count { $0.contains("undo/") } == 3)
        #expect(counts.values.allSatisfy { $0 == 1 }, "errata \(command[0]): \(counts)")
      }
    }

    /// Each layer's result is computed once, as later layers need it, and is what the patch promises.
    @Test func exactApplies() throws {
      try collect()
      func count(_ command: [String]) throws -> Int? {
        let answer = try scratch.succeed(command + ["--json", "--profile"]).json
        let phases = answer["profile"]?["phases"]?.arrayValue ?? []
        return phases.filter { $0["phase"] == "exact apply" }.compactMap { $0["calls"]?.integerValue }.reduce(0, +)
      }
      #expect(try count(edit("samples/model", "--layers", "0-2")) == 3)
      #expect(try count(edit("samples/model", "--layers", "1", "--method", "rome", output: "rome.wpatch")) == 3)
    }
  }
}
