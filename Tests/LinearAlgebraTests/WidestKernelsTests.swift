import Tensors
import Testing

@testable import LinearAlgebra

struct WidestKernelsTests {
  @Test(
    "What OpenBLAS takes for a processor that it does not know gives way to what the processor can",
    arguments: [
      ("Prescott", KernelSet.avx512, "SkylakeX"), ("Haswell", .avx512, "SkylakeX"), ("Zen", .avx512, "SkylakeX"),
      ("Prescott", .avx2, "Haswell"), ("Barcelona", .avx2, "Haswell"),
    ])
  func widensKernels(chosen: String, processor: KernelSet, expected: String) {
    #expect(WidestKernels.kernels(widerThan: chosen, for: processor) == expected)
  }

  @Test(
    "A choice that is as wide as the processor stays",
    arguments: [
      ("SkylakeX", KernelSet.avx512), ("Cooperlake", .avx512), ("Haswell", .avx2), ("Zen", .avx2),
      ("Prescott", .baseline), ("ARMV8", .baseline),
    ])
  func keepsWideKernels(chosen: String, processor: KernelSet) {
    #expect(WidestKernels.kernels(widerThan: chosen, for: processor) == nil)
  }
}
