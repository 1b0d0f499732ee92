import Foundation
import Tensors
import Testing

extension ToolTests {
  /// Another program that writes where a tool reads or writes, at every point of a change.
  @Suite struct ConcurrentWriters {
    private static let spoilers = [
      "cat evil.wpatch > w/fix.wpatch", "cp evil.wpatch new.wpatch && mv new.wpatch w/fix.wpatch",
      ": > w/fix.wpatch", "rm -f w/fix.wpatch",
    ]

    /// A patch that is signed as the policy asks, beside a checkpoint; and one that is not signed.
    private func makeScene() throws -> Scratch {
      let scratch = try Scratch()
      try scratch.copyModel(to: "w/model")
      try scratch.succeed("keygen", "-o", "release")
      try scratch.write(#"{"version":1,"keys":[{"file":"release.pub"}]}"#, to: "policy.json")
      try scratch.copy("samples/five-facts.wpatch", to: "w/fix.wpatch")
      try scratch.succeed("sign", "w/fix.wpatch", "--key", "release", environment: FaultInjector.environment)
      try scratch.copy("samples/twenty-facts.wpatch", to: "evil.wpatch")
      return scratch
    }

    private func copy(_ scene: Scratch) throws -> Scratch {
      let scratch = try Scratch()
      for name in ["w", "release", "release.pub", "policy.json", "evil.wpatch"] {
        try scene.copy(name, to: scratch(name))
      }
      return scratch
    }

    @Test(arguments: [["--in-place"], ["-o", "w/out"]], spoilers)
    func onlyWhatIsSignedIsApplied(destination: [String], spoiler: String) throws {
      let command = ["apply", "w/model", "w/fix.wpatch", "--policy", "policy.json", "--quiet"] + destination
      let scene = try makeScene()
      let rehearsal = try copy(scene)
      let rehearsed = try FaultInjector.measure(command, in: rehearsal, under: "w")
      try #require(rehearsed.result.exitCode == 0 && rehearsed.points.count > 10, "\(rehearsed.result.errors)")
      let place = destination.last == "w/out" ? "w/out" : "w/model"
      let (before, after) = (try scene.tree("w/model"), try rehearsal.tree(place))
      try FaultInjector.forEach(rehearsed.points) { point in
        let scratch = try copy(scene)
        let result = try FaultInjector.run(command, .run(spoiler), at: point.number, in: scratch, under: "w")
        let remark = "\(spoiler) at \(point): \(result.exitCode) \(result.errors)"
        if result.exitCode == 0 {
          #expect(try scratch.tree(place) == after, "\(remark)")
          try scratch.succeed("verify", place)
        } else {
          #expect([1, 5, 6].contains(result.exitCode), "\(remark)")
          #expect(try scratch.tree("w/model") == before, "\(remark)")
          #expect(!scratch.exists("w/out"), "\(remark)")
        }
      }
    }

    /// A link that takes the place of one of the ledger's directories at the worst moment leads nowhere.
    @Test(arguments: [
      ["apply", "w/model", "samples/five-facts.wpatch", "--in-place"], ["revert", "w/model", "--in-place"],
    ])
    func aLinkThatIsPutThereMeanwhile(command: [String]) throws {
      let scene = try Scratch()
      try scene.copyModel(to: "w/model")
      if command[0] == "revert" { try scene.succeed("apply", "w/model", "samples/five-facts.wpatch", "--in-place") }
      for folder in ["journal/deep", "patches", "undo"] { try scene.makeFolder("victim/\(folder)") }
      for file in ["ledger.json", "journal/journal.json", "journal/chunks", "journal/deep/file", "undo/file"] {
        try scene.write("{}", to: "victim/\(file)")
      }
      let rehearsal = try Scratch()
      try scene.copy("w", to: rehearsal("w"))
      let points = try FaultInjector.measure(command, in: rehearsal, under: "w").points
      let victim = try scene.tree("victim")
      let swap = """
        for name in .errata.change .errata.next .errata.old .errata .errata.change/journal .errata.change/undo; do
          place=w/model/$name
          if [ -d $place ] && [ ! -L $place ]; then mv $place moved && ln -s "$PWD/victim" $place && break; fi
        done
        """
      try FaultInjector.forEach(points) { point in
        let scratch = try Scratch()
        for name in ["w", "victim"] { try scene.copy(name, to: scratch(name)) }
        _ = try FaultInjector.run(command, .run(swap), at: point.number, in: scratch, under: "w")
        #expect(try scratch.tree("victim") == victim, "\(point)")
        _ = try Tool.errata(["show", "w/model"], in: scratch.path)
        #expect(try scratch.tree("victim") == victim, "show after \(point)")
      }
    }
  }
}
