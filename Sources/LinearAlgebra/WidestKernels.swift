import COpenBLAS
import Foundation
import Tensors

/// OpenBLAS chooses its kernels by a list of processors. Debian 12's (0.3.21) is older than many processors, and takes
/// for them its kernels of AVX2, at half the speed of those of AVX-512, or of SSE3, at a sixth.
///
/// It chooses when it is loaded, before `main`, and can be told by the environment alone; so it is told, and chooses
/// once more.
public enum WidestKernels {
  private static let variable = "OPENBLAS_CORETYPE"

  /// To be called first thing in `main`, before any other use of BLAS. Does nothing if the variable is set, or if
  /// OpenBLAS uses the processor's widest instructions already.
  public static func use() {
    guard getenv(variable) == nil, let chosen = openblas_get_corename(), let widest = KernelSet.available.last,
      let better = kernels(widerThan: String(cString: chosen), for: widest)
    else { return }
    setenv(variable, better, 1)
    errata_choose_blas_kernels()
  }

  /// What OpenBLAS calls the kernels that a processor had better use; nil if they are no wider than those chosen.
  ///
  /// - Parameters:
  ///   - chosen: OpenBLAS's name of the kernels that it chose.
  ///   - widest: the processor's widest instructions.
  static func kernels(widerThan chosen: String, for widest: KernelSet) -> String? {
    let ofAVX512 = ["SkylakeX", "Cooperlake", "SapphireRapids"]
    let ofAVX2 = ["Haswell", "Zen", "Excavator"]
    return switch widest {
    case .avx512: ofAVX512.contains(chosen) ? nil : "SkylakeX"
    case .avx2: (ofAVX512 + ofAVX2).contains(chosen) ? nil : "Haswell"
    case .baseline: nil
    }
  }
}
