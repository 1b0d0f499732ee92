import Foundation
import Testing

extension ToolTests {
  /// Models named as the hub names them, from the local download cache: never from the network.
  @Suite struct HubCache {
    private static let commit = "0123456789abcdef0123456789abcdef01234567"
    private let scratch: Scratch
    private let environment: [String: String]

    /// The sample model as huggingface_hub keeps it: links to blobs.
    init() throws {
      scratch = try Scratch()
      environment = ["HF_HOME": scratch("home"), "HF_HUB_CACHE": ""]
      let folder = "home/hub/models--errata--sample"
      for part in ["refs", "blobs", "snapshots/\(Self.commit)"] {
        try FileManager.default.createDirectory(
          atPath: scratch("\(folder)/\(part)"), withIntermediateDirectories: true)
      }
      try scratch.write(Self.commit, to: "\(folder)/refs/main")
      for (number, file) in try FileManager.default.contentsOfDirectory(atPath: Samples.folder + "/model").enumerated()
      {
        try FileManager.default.copyItem(
          atPath: "\(Samples.folder)/model/\(file)", toPath: scratch("\(folder)/blobs/\(number)"))
        try FileManager.default.createSymbolicLink(
          atPath: scratch("\(folder)/snapshots/\(Self.commit)/\(file)"), withDestinationPath: "../../blobs/\(number)")
      }
    }

    private var snapshot: String { "home/hub/models--errata--sample/snapshots/\(Self.commit)" }

    @Test func everyToolFindsThem() throws {
      let before = try scratch.bytes(snapshot + "/model.safetensors")
      let prompt = "The capital of France is"
      let expected = try scratch.succeed("ask", "samples/model", prompt).output
      #expect(try scratch.succeed("ask", "errata/sample", prompt, environment: environment).output == expected)
      try scratch.succeed(
        "edit", "errata/sample", "--facts", "samples/facts.json", "--records", "0-1", "--stats",
        "samples/stats.safetensors", "--quiet", "-o", "fix.wpatch", environment: environment)
      #expect(try scratch.succeed("show", "fix.wpatch").output.contains("errata/sample"))
      try scratch.succeed("apply", "errata/sample", "fix.wpatch", "-o", "edited", environment: environment)
      try scratch.succeed("verify", "edited", "--base", "errata/sample", environment: environment)
      let difference = try scratch.succeed("diff", "errata/sample", "edited", environment: environment)
      #expect(difference.output.contains("down_proj"))
      try scratch.succeed("revert", "edited", "-o", "restored")
      #expect(try scratch.bytes("restored/model.safetensors") == before)
      #expect(try scratch.bytes(snapshot + "/model.safetensors") == before)
    }

    @Test func anotherCacheByItsOwnVariable() throws {
      let own = ["HF_HOME": "/nowhere", "HF_HUB_CACHE": scratch("home/hub")]
      try scratch.succeed("ask", "errata/sample", "A", environment: own)
    }

    /// What stands here goes before what stands in the cache.
    @Test func aFolderOfThatNameComesFirst() throws {
      try scratch.write("", to: "errata")
      try scratch.remove("errata")
      try FileManager.default.createDirectory(atPath: scratch("errata/sample"), withIntermediateDirectories: true)
      let result = try scratch.errata("ask", "errata/sample", "A", environment: environment)
      #expect(result.exitCode == 1 && result.errors.hasPrefix("errata ask: errata/sample: there is no config.json"))
    }

    @Test func theCacheIsOnlyRead() throws {
      let result = try scratch.errata(
        "apply", "errata/sample", "samples/eiffel-tower.wpatch", "--in-place", environment: environment)
      #expect(result.exitCode == 2)
      #expect(
        result.errors == "errata apply: errata/sample: other programs read this model in the download cache; write a "
          + "copy with -o, or name the folder \(scratch(snapshot))\n")
    }

    @Test func unknownNames() throws {
      let result = try scratch.errata("ask", "errata/other", "A", environment: environment)
      #expect(result.exitCode == 1)
      #expect(
        result.errors == "errata ask: errata/other: no such file or directory, nor a model of that name in the cache, "
          + "\(scratch("home/hub")); give a checkpoint directory or a .safetensors file\n")
    }

    /// A reference is input.
    @Test func referencesDoNotLeadOutOfTheCache() throws {
      try scratch.write("../../../../samples/model", to: "home/hub/models--errata--sample/refs/main")
      #expect(try scratch.errata("ask", "errata/sample", "A", environment: environment).exitCode == 1)
    }
  }
}
