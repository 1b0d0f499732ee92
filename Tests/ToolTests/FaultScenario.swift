import Foundation
import Safetensors
import Tensors
import Testing

/// A change of a checkpoint in which something goes wrong at every point, one after another.
///
/// Everything lies in a folder `w`: the checkpoint is `w/model`, two shards in a directory with a subdirectory, or
/// `w/model.safetensors`, a bare file; the output, if there is one, is `w/out` or `w/out.safetensors`. The base,
/// without any patch, is outside, in `base`.
struct FaultScenario: CustomTestStringConvertible, Sendable {
  let testDescription: String
  let isBareFile: Bool
  /// Whether the checkpoint's weight files are the base's, under other names.
  let isLinked: Bool
  /// What was done to the checkpoint before.
  let earlier: [[String]]
  /// The change.
  let command: [String]

  init(
    _ description: String, isBareFile: Bool = false, isLinked: Bool = false, earlier: [[String]] = [],
    _ command: [String]
  ) {
    testDescription = description
    self.isBareFile = isBareFile
    self.isLinked = isLinked
    self.earlier = earlier
    self.command = command
  }

  var checkpoint: String { isBareFile ? "w/model.safetensors" : "w/model" }
  var base: String { isBareFile ? "base/model.safetensors" : "base/model" }
  var output: String? { command.firstIndex(of: "-o").map { command[$0 + 1] } }

  private static let five = "samples/five-facts.wpatch"
  private static let one = "samples/eiffel-tower.wpatch"

  /// What is checked against loss of power and full disks too.
  static let main = [
    FaultScenario("apply in place", ["apply", "w/model", five, "--in-place"]),
    FaultScenario(
      "revert in place", earlier: [["apply", "w/model", five, "--in-place"]], ["revert", "w/model", "--in-place"]),
    FaultScenario("apply", ["apply", "w/model", one, "-o", "w/out"]),
    FaultScenario(
      "apply a file", isBareFile: true, ["apply", "w/model.safetensors", one, "-o", "w/out.safetensors"]),
    FaultScenario("apply in place to a linked base", isLinked: true, ["apply", "w/model", five, "--in-place"]),
  ]

  static let all =
    main + [
      FaultScenario(
        "apply a second patch in place", earlier: [["apply", "w/model", five, "--in-place"]],
        ["apply", "w/model", one, "--in-place"]),
      FaultScenario(
        "revert one of two in place", earlier: [["apply", "w/model", five, one, "--in-place"]],
        ["revert", "w/model", one, "--in-place"]),
      FaultScenario(
        "apply in place to a linked file", isBareFile: true, isLinked: true,
        ["apply", "w/model.safetensors", one, "--in-place"]),
      FaultScenario("apply to a file in place", isBareFile: true, ["apply", "w/model.safetensors", one, "--in-place"]),
      FaultScenario(
        "revert a file in place", isBareFile: true,
        earlier: [["apply", "w/model.safetensors", one, "--in-place"]],
        ["revert", "w/model.safetensors", "--in-place"]),
      FaultScenario(
        "revert", earlier: [["apply", "w/model", five, "--in-place"]], ["revert", "w/model", "-o", "w/out"]),
    ]
}

/// A scenario that was run once without fault: the state before, the state after, and the points in between.
struct RehearsedScenario: Sendable {
  let scenario: FaultScenario
  let before: [String: String]
  let after: [String: String]
  let points: [FaultInjector.Point]
  /// What was said on the way.
  let notices: String
  /// `w` as it is before, and the base.
  private let original: Scratch
  private let base: [String: String]

  init(_ scenario: FaultScenario) throws {
    self.scenario = scenario
    original = try Scratch()
    try Self.makeCheckpoint(in: original, isBareFile: scenario.isBareFile)
    try original.copy("w", to: "base")
    for command in scenario.earlier {
      let result = try Tool.errata(command, in: original.path, environment: FaultInjector.environment)
      try #require(result.exitCode == 0, "\(result.errors)")
    }
    before = try original.tree("w")
    base = try original.tree("base")
    let rehearsal = try Self.scratch(scenario, original)
    let run = try FaultInjector.measure(scenario.command, in: rehearsal, under: "w")
    try #require(run.result.exitCode == 0, "\(run.result.errors)")
    after = try rehearsal.tree("w")
    let verified = try Tool.errata(
      ["verify", rehearsal(scenario.output ?? scenario.checkpoint), "--base", scenario.base], in: original.path)
    #expect(verified.exitCode == 0, "\(verified.errors)\(verified.output)")
    points = run.points
    notices = run.result.errors
    #expect(after != before)
  }

  /// A scratch folder in which nothing has happened yet.
  func scratch() throws -> Scratch { try Self.scratch(scenario, original) }

  private static func scratch(_ scenario: FaultScenario, _ original: Scratch) throws -> Scratch {
    let scratch = try Scratch()
    for folder in ["w", "base"] { try original.copy(folder, to: scratch(folder)) }
    guard scenario.isLinked else { return scratch }
    let files = scenario.isBareFile ? ["model.safetensors"] : ["model/first.safetensors", "model/second.safetensors"]
    for file in files {
      try scratch.remove("w/\(file)")
      try FileManager.default.linkItem(atPath: scratch("base/\(file)"), toPath: scratch("w/\(file)"))
    }
    return scratch
  }

  /// Expects that the base is what it was: also if the checkpoint has its files.
  func expectBase(in scratch: Scratch, _ remark: String) throws {
    #expect(try scratch.tree("base") == base, "\(remark): the base changed")
  }

  /// The sample model's weights that the sample patches edit, and a few more.
  private static func makeCheckpoint(in scratch: Scratch, isBareFile: Bool) throws {
    let model = try Checkpoint(path: Samples.folder + "/model")
    let matrices = (0..<3).map { ByteString("model.layers.\($0).mlp.down_proj.weight") }
    func write(_ names: [ByteString], to name: String) throws {
      let tensors = try names.map { name in
        let tensor = try model.tensor(named: name)
        return (
          name, (dtype: tensor.dtype, shape: tensor.shape, bytes: withExtendedLifetime(tensor) { Array(tensor.bytes) })
        )
      }
      try SafetensorsWriter.write(Dictionary(uniqueKeysWithValues: tensors), to: scratch(name))
    }
    try scratch.makeFolder("w")
    guard !isBareFile else { return try write(matrices + ["model.norm.weight"], to: "w/model.safetensors") }
    try scratch.makeFolder("w/model/extra")
    let configuration = try Data(contentsOf: URL(filePath: Samples.folder + "/model/config.json"))
    try scratch.write(String(decoding: configuration, as: UTF8.self), to: "w/model/config.json")
    try scratch.write("tokens", to: "w/model/extra/tokenizer.json")
    let shards = [
      ("first.safetensors", [matrices[0], "model.norm.weight"]), ("second.safetensors", Array(matrices[1...])),
    ]
    var map = JSONObject()
    for (shard, names) in shards {
      try write(names, to: "w/model/\(shard)")
      for name in names { map[name] = JSON(shard) }
    }
    let index: JSON = ["weight_map": .object(map)]
    try scratch.write(index.serialized(), to: "w/model/model.safetensors.index.json")
  }
}

extension Scratch {
  /// Copies a file or folder with its permissions; `destination` is relative, or absolute.
  func copy(_ name: String, to destination: String) throws {
    try FileManager.default.copyItem(
      atPath: self(name), toPath: destination.hasPrefix("/") ? destination : self(destination))
  }
}
