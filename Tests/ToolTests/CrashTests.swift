import Foundation
import Testing

extension ToolTests {
  /// A crash at every system call that changes files: the checkpoint is as it was before or as it is after, at the
  /// latest when the next command has opened it; and when the next change is done, nothing else is left.
  @Suite struct Crashes {
    @Test(arguments: FaultScenario.all)
    func killed(scenario: FaultScenario) throws {
      let rehearsed = try RehearsedScenario(scenario)
      let calls = Set(rehearsed.points.map(\.call))
      #expect(calls.isSuperset(of: ["openat", "fsync", "rename", "mkdir"]), "\(calls)")
      #expect(!calls.isDisjoint(with: ["write", "pwrite"]), "\(calls)")
      try FaultInjector.forEach(rehearsed.points) { point in
        try rehearsed.expectRecovery(from: .kill(), at: point)
        if point.isDivisible { try rehearsed.expectRecovery(from: .kill(isWithin: true), at: point) }
      }
    }

    /// A crash of the machine: what no fsync has put on disk is gone.
    @Test(arguments: FaultScenario.main, [FaultInjector.Loss.data, .entries])
    func powerLost(scenario: FaultScenario, loss: FaultInjector.Loss) throws {
      let rehearsed = try RehearsedScenario(scenario)
      try FaultInjector.forEach(rehearsed.points) { point in
        try rehearsed.expectRecovery(from: .kill(loss: loss), at: point)
      }
    }

    /// Once a command has said that it is done, it is done for good.
    @Test(arguments: FaultScenario.main)
    func whatIsDoneStays(scenario: FaultScenario) throws {
      let rehearsed = try RehearsedScenario(scenario)
      let scratch = try rehearsed.scratch()
      let last = rehearsed.points.count
      let result = try FaultInjector.run(
        scenario.command, .kill(isWithin: true, loss: .entries), at: last, in: scratch, under: "w")
      #expect(result.exitCode == FaultInjector.killed)
      try rehearsed.expectState(in: scratch, allowsBefore: false, "after the last point")
    }

    /// Whatever command comes next, if it looks at weights, it takes back first what was half done.
    @Test func everyCommandTakesBack() throws {
      let points = try Scratch()
      try points.copyModel(to: "w/model")
      let change = ["apply", "w/model", "samples/five-facts.wpatch", "--in-place"]
      let last = try #require(
        FaultInjector.measure(change, in: points, under: "w").points.last { $0.call == "pwrite" })
      let facts = ["--facts", "samples/facts.json", "--records", "0-1"]
      let statistics = ["--stats", "samples/stats.safetensors"]
      let commands = [
        ["ask", "w/model", "Hello", "--tokens", "1"], ["eval", "w/model"] + facts,
        ["stats", "w/model", "--text", "samples/corpus.txt", "--tokens", "100", "-o", "x"],
        ["edit", "w/model"] + facts + statistics + ["-o", "x"], ["verify", "w/model"], ["show", "w/model"],
        ["verify", "samples/model", "--base", "w/model"], ["diff", "w/model", "samples/model"],
        ["diff", "samples/model", "w/model"], ["apply", "w/model", "samples/eiffel-tower.wpatch", "-o", "x"],
        ["revert", "w/model", "-o", "x"],
        ["drop", "samples/twenty-facts.wpatch", "--fact", "Leo Tolstoy", "--base", "w/model", "-o", "x"],
        ["resolve", "samples/five-facts.wpatch", "--lambda", "7", "--base", "w/model", "-o", "x"],
        ["compact", "samples/five-facts.wpatch", "--factors", "i8", "--base", "w/model", "-o", "x"],
        ["stack", "samples/five-facts.wpatch", "samples/eiffel-tower.wpatch", "--base", "w/model", "-o", "x"],
        ["trace", "w/model", "Hello", "--patch", "samples/eiffel-tower.wpatch"],
        ["tune", "w/model", "--layers", "1", "--clamps", "4", "--steps", "1"] + facts + statistics,
      ]
      try FaultInjector.forEach(commands) { command in
        let scratch = try Scratch()
        try scratch.copyModel(to: "w/model")
        let crash = try FaultInjector.run(
          change, .kill(isWithin: true), at: last.number, in: scratch, under: "w")
        #expect(crash.exitCode == FaultInjector.killed)
        #expect(scratch.exists("w/model/.errata.change"))
        let result = try Tool.errata(command, in: scratch.path)
        #expect([0, 1].contains(result.exitCode), "\(command): \(result.errors)")
        #expect(
          result.errors.hasPrefix("note: w/model: took back a change that an earlier run was interrupted in\n"),
          "\(command): \(result.errors)")
        try scratch.expectSampleModel("w/model")
      }
    }

    /// A crash of the run that takes back what another left.
    @Test(arguments: [0, 1])
    func killedWhileTakingBack(scenario: Int) throws {
      let rehearsed = try RehearsedScenario(FaultScenario.main[scenario])
      let last = try #require(rehearsed.points.last { $0.call == "pwrite" })
      let crashed = try rehearsed.scratch()
      let result = try FaultInjector.run(
        rehearsed.scenario.command, .kill(isWithin: true), at: last.number, in: crashed, under: "w")
      #expect(result.exitCode == FaultInjector.killed)
      let verify = ["verify", "w/model"]
      let rehearsal = try Scratch()
      try crashed.copy("w", to: rehearsal("w"))
      let points = try FaultInjector.measure(verify, in: rehearsal, under: "w").points
      #expect(points.count > 5 && points.contains { $0.call == "pwrite" })
      try FaultInjector.forEach(points) { point in
        var faults: [FaultInjector.Fault] = [.kill(), .kill(loss: .data), .kill(loss: .entries)]
        if point.isDivisible { faults.append(.kill(isWithin: true)) }
        for fault in faults {
          let scratch = try rehearsed.scratch()
          try scratch.remove("w")
          try crashed.copy("w", to: scratch("w"))
          let result = try FaultInjector.run(verify, fault, at: point.number, in: scratch, under: "w")
          #expect(result.exitCode == FaultInjector.killed)
          try rehearsed.expectState(in: scratch, allowsAfter: false, "taking back: \(fault) at \(point)")
        }
      }
    }
  }
}

extension RehearsedScenario {
  func expectRecovery(from fault: FaultInjector.Fault, at point: FaultInjector.Point) throws {
    let scratch = try scratch()
    let result = try FaultInjector.run(scenario.command, fault, at: point.number, in: scratch, under: "w")
    #expect(result.exitCode == FaultInjector.killed, "\(fault) at \(point): \(result.errors)")
    try expectState(in: scratch, "\(fault) at \(point)")
  }

  /// Expects that the next command that opens the checkpoint finds the state before or the state after, and that, when
  /// the change is asked for again, there is the state after and nothing else.
  func expectState(
    in scratch: Scratch, allowsBefore: Bool = true, allowsAfter: Bool = true, _ remark: String
  ) throws {
    let verified = try Tool.errata(["verify", scenario.checkpoint, "--base", scenario.base], in: scratch.path)
    #expect(verified.exitCode == 0, "\(remark): \(verified.errors)\(verified.output)")
    var found = try scratch.tree("w").filter { !isTemporary($0.key) }
    if let output = scenario.output, !scratch.exists(output) {
      // The ledger of a bare file takes its place before the file; without it, it is nothing.
      found = found.filter { !$0.key.hasPrefix("out.safetensors.errata") }
    }
    let isBefore = found == before.filter { !isTemporary($0.key) }
    #expect((allowsAfter && found == after) || (allowsBefore && isBefore), "\(remark): \(differences(found))")

    let again = try Tool.errata(scenario.command, in: scratch.path, environment: FaultInjector.environment)
    // An output that is there is not replaced.
    #expect(again.exitCode == (scenario.output == nil || isBefore ? 0 : 1), "\(remark), again: \(again.errors)")
    let last = try scratch.tree("w")
    #expect(last == after, "\(remark), again: \(differences(last))")
    try expectBase(in: scratch, remark)
  }

  /// What a crash may leave until the next change: the next ledger and the former one, a journal, an output in the
  /// making.
  private func isTemporary(_ name: String) -> Bool {
    name.contains(".errata.change") || name.contains(".errata.next") || name.contains(".errata.old")
      || name.contains(".errata/journal")
      || name.hasPrefix(".out.")
  }

  /// The files that are not as they are after.
  private func differences(_ found: [String: String]) -> String {
    Set(found.keys).union(after.keys).filter { found[$0] != after[$0] }.sorted().joined(separator: ", ")
  }
}
