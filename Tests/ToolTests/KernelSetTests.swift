import Foundation
import Tensors
import Testing

extension ToolTests {
  /// The same bytes whatever the processor: the kernels for every instruction set that is here. Those of other
  /// processors run in `.ci/kernels`.
  @Suite struct KernelSets {
    /// What the kernels themselves give.
    @Test(arguments: KernelSet.available)
    func vectors(set: KernelSet) throws {
      let result = try Tool.run(
        Tool.folder + "/kernel-vectors", [], in: Samples.root, environment: ["ERRATA_KERNELS": set.rawValue])
      #expect(result.exitCode == 0, "\(result.errors)")
      func lines(_ text: String) -> [Substring] {
        // Not every processor has instructions for it, and the baseline has none.
        text.split(separator: "\n").filter { set != .baseline || !$0.hasPrefix("sha256") }
      }
      let golden = try String(contentsOfFile: Samples.root + "/Tests/Golden/kernel_vectors.txt", encoding: .utf8)
      #expect(lines(result.output) == lines(golden))
      #expect(lines(golden).count >= 24)
    }

    /// Weights, digests in the ledger and undo records, as the tools write them.
    @Test(arguments: KernelSet.available)
    func files(set: KernelSet) throws {
      let environment = FaultInjector.environment
      let scratch = try Scratch()
      for (output, names) in [("widest", [:]), ("chosen", ["ERRATA_KERNELS": set.rawValue])] {
        let result = try scratch.errata(
          "apply", "samples/model", "samples/five-facts.wpatch", "samples/eiffel-tower.wpatch", "-o", output,
          environment: environment.merging(names) { $1 })
        #expect(result.exitCode == 0, "\(result.errors)")
      }
      #expect(try scratch.tree("chosen") == scratch.tree("widest"))
      let reverted = try scratch.errata(
        "revert", "chosen", "--all", "-o", "base", environment: ["ERRATA_KERNELS": set.rawValue])
      #expect(reverted.exitCode == 0, "\(reverted.errors)")
      #expect(
        try scratch.bytes("base/model.safetensors") == scratch.bytes("samples/model/model.safetensors"))
    }

    @Test func unknownSet() throws {
      let scratch = try Scratch()
      let names = KernelSet.available.map(\.rawValue).joined(separator: ", ")
      for value in ["AVX2", "sse2", "avx1024"] {
        let result = try scratch.errata("show", "samples/five-facts.wpatch", environment: ["ERRATA_KERNELS": value])
        #expect(result.exitCode == 2)
        #expect(
          result.errors
            == "errata show: ERRATA_KERNELS: '\(value)' is not an instruction set that is here (\(names)); set "
            + "another, or none\n"
        )
      }
    }
  }
}
