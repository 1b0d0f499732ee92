import Foundation
import TestSupport
import Testing

extension ToolTests {
  /// Memory, descriptors and threads that the system refuses: a tool does without, or ends with one line, and the
  /// checkpoint is as it was or wholly changed.
  @Suite struct Resources {
    private static let five = "samples/five-facts.wpatch"
    private static let patched = [["apply", "w/model", "samples/twenty-facts.wpatch", "--in-place"]]
    private static let changes = [
      FaultScenario("apply", ["apply", "w/model", five, "-o", "w/out"]),
      FaultScenario("apply in place", ["apply", "w/model", five, "--in-place"]),
      FaultScenario("revert in place", earlier: patched, ["revert", "w/model", "--in-place"]),
      // Solves again, by OpenBLAS.
      FaultScenario("revert a fact", earlier: patched, ["revert", "w/model", "--fact", "Leo Tolstoy", "-o", "w/out"]),
    ]
    private static let readings = [
      ["verify", "samples/model"], ["verify", five], ["show", five],
      ["edit", "samples/model", "--facts", "samples/facts.json", "--records", "0-1"]
        + ["--stats", "samples/stats.safetensors", "--steps", "3", "--force", "-o", "edit.wpatch"],
    ]

    /// Some of the points of a run: all if they are few.
    private func sample(_ count: Int, _ size: Int = 16) -> [Int] {
      var generator = SeededGenerator(seed: UInt64(count))
      return Array(1...count).shuffled(using: &generator).prefix(size).sorted()
    }

    private func expectOneLine(_ result: ToolResult, _ remark: String) {
      guard result.exitCode != 0 else { return }
      #expect(result.exitCode == 1, "\(remark): \(result.exitCode) \(result.errors)")
      #expect(
        result.errors.hasPrefix("errata ") && result.errors.filter(\.isNewline).count == 1,
        "\(remark): \(result.errors)")
    }

    @Test(arguments: changes, FaultInjector.Resource.allCases)
    func refused(scenario: FaultScenario, resource: FaultInjector.Resource) throws {
      let rehearsed = try RehearsedScenario(scenario)
      let count = try FaultInjector.measure(scenario.command, in: rehearsed.scratch(), asking: resource).points.count
      try #require(count > 0)
      try FaultInjector.forEach(sample(count).flatMap { [($0, false), ($0, true)] }) { point, goesOn in
        let scratch = try rehearsed.scratch()
        let result = try FaultInjector.run(
          scenario.command, refusing: resource, at: point, goesOn: goesOn, in: scratch)
        let remark = "\(resource) \(point) of \(count)\(goesOn ? " and all later" : "")"
        expectOneLine(result, remark)
        // No thread is needed.
        if resource == .thread { #expect(result.exitCode == 0, "\(remark): \(result.errors)") }
        try rehearsed.expectState(in: scratch, allowsBefore: result.exitCode != 0, remark)
      }
    }

    /// Those that change nothing: they say the same, or why they cannot.
    @Test(arguments: readings, FaultInjector.Resource.allCases)
    func refusedToReaders(command: [String], resource: FaultInjector.Resource) throws {
      let scratch = try Scratch()
      let whole = try FaultInjector.measure(command, in: scratch, asking: resource)
      #expect(whole.result.exitCode == 0, "\(whole.result.errors)")
      guard !whole.points.isEmpty else { return }
      try FaultInjector.forEach(sample(whole.points.count).flatMap { [($0, false), ($0, true)] }) { point, goesOn in
        let result = try FaultInjector.run(command, refusing: resource, at: point, goesOn: goesOn, in: scratch)
        let remark = "\(resource) \(point) of \(whole.points.count)\(goesOn ? " and all later" : "")"
        expectOneLine(result, remark)
        if resource == .thread { #expect(result.exitCode == 0, "\(remark): \(result.errors)") }
      }
    }

    /// Where it was refused: what was asked for, in words that say what to do.
    @Test func outOfMemory() throws {
      let scratch = try Scratch()
      let points = try FaultInjector.measure(["show", Self.five], in: scratch, asking: .memory).points
      let results = try points.map {
        try FaultInjector.run(["show", Self.five], refusing: .memory, at: $0.number, goesOn: true, in: scratch)
      }
      let expected =
        #/errata show: out of memory: \d+ bytes could not be had; close other programs, or allow more \(ulimit -v\)\n/#
      #expect(results.contains { $0.errors.wholeMatch(of: expected) != nil && $0.exitCode == 1 })
    }

    // MARK: The shell's limits, on the whole process with all that it loads

    /// What the loader says where the program does not even begin.
    private func isOfLoader(_ result: ToolResult) -> Bool {
      result.exitCode == 127 && result.errors.contains("error while loading shared libraries")
    }

    private func run(_ command: [String], limit: String, _ value: Int, in scratch: Scratch) throws -> ToolResult {
      // Errors by a pipe: a file of them would have the limit too.
      let result = try Tool.run(
        "/bin/bash",
        ["-c", "(ulimit -\(limit) \(value) && exec \"$@\") 2>&1 >/dev/null | cat; exit ${PIPESTATUS[0]}", "bash"]
          + ["\(Tool.folder)/errata-\(command[0])"] + command.dropFirst(), in: scratch.path,
        environment: ["ERRATA_THREADS": "5"], timeout: 60)
      return ToolResult(exitCode: result.exitCode, output: "", errors: result.output)
    }

    /// From too little to begin with to enough, whatever that is.
    @Test(arguments: [
      ["apply", "model", five, "-o", "out"], ["apply", "model", five, "--in-place"], ["verify", "model"],
      ["revert", "patched", "--fact", "Leo Tolstoy", "-o", "out"],
    ])
    func limitedMemory(command: [String]) throws {
      let scratch = try Scratch()
      try scratch.copyModel()
      try scratch.succeed("apply", "samples/model", "samples/twenty-facts.wpatch", "-o", "patched")
      let before = try scratch.tree("model")
      var (limit, begun, successes) = (16_000, 0, 0)
      while successes < 3 {
        try #require(limit < 4_000_000)
        let result = try run(command, limit: "v", limit, in: scratch)
        if !isOfLoader(result) {
          begun += 1
          expectOneLine(result, "\(limit) KiB")
        }
        if result.exitCode == 0 {
          successes += 1
          if scratch.exists("out") { try scratch.remove("out") }
          if command.contains("--in-place") { try scratch.succeed("revert", "model", "--in-place") }
        } else {
          #expect(!scratch.exists("out"))
          try scratch.succeed("verify", "model", "--base", "samples/model")
        }
        limit += limit / 32
      }
      #expect(begun > successes)
      if !command.contains("--in-place") { #expect(try scratch.tree("model") == before) }
    }

    @Test(arguments: 3...16) func limitedDescriptors(count: Int) throws {
      let scratch = try Scratch()
      let result = try run(["apply", "samples/model", Self.five, "-o", "out"], limit: "n", count, in: scratch)
      if !isOfLoader(result) { expectOneLine(result, "\(count) descriptors") }
      #expect(scratch.exists("out") == (result.exitCode == 0))
      #expect(count < 16 || result.exitCode == 0, "\(result.errors)")
    }

    /// In blocks of 512 bytes: no byte, a part of the first file, a part of the weights.
    @Test(arguments: [0, 1, 100, 3000]) func limitedFiles(size: Int) throws {
      let scratch = try Scratch()
      let result = try run(["apply", "samples/model", Self.five, "-o", "out"], limit: "f", size, in: scratch)
      #expect(result.exitCode == 1)
      expectOneLine(result, "\(size) blocks")
      #expect(result.errors.hasSuffix(": file too large\n"), "\(result.errors)")
      #expect(!scratch.exists("out"))
    }

    // MARK: ERRATA_THREADS

    /// So many threads compute, the first among them; another writes, for each of the three tensors where they are
    /// compared with a base one after another.
    @Test(arguments: [1, 2, 5, 9]) func threads(count: Int) throws {
      let scratch = try Scratch()
      try scratch.copyModel()
      try scratch.succeed("apply", "samples/model", Self.five, "-o", "patched")
      func started(_ command: [String]) throws -> Int {
        let run = try FaultInjector.measure(
          command, in: scratch, asking: .thread, environment: ["ERRATA_THREADS": "\(count)"])
        #expect(run.result.exitCode == 0, "\(run.result.errors)")
        return run.points.count
      }
      #expect(try started(["apply", "samples/model", Self.five, "-o", "out"]) == count - 1 + 1)
      #expect(try started(["revert", "patched", "-o", "base"]) == count - 1 + 1)
      #expect(try started(["apply", "model", Self.five, "--in-place"]) == count - 1 + 1)
      #expect(try started(["revert", "model", "--in-place"]) == count - 1 + 1)
      #expect(try started(["verify", "patched", "--base", "samples/model"]) == count - 1 + 3)
    }
  }
}
