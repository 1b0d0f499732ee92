import CKernels

/// An instruction set that the C kernels are compiled for. Conversions, exact apply, undo records and digests have the
/// same bytes under each; it decides how long they take. The environment variable `ERRATA_KERNELS` holds them to a
/// narrower one than there is.
package enum KernelSet: String, CaseIterable, Sendable {
  /// What every processor of the architecture has.
  case baseline
  case avx2
  case avx512

  private var processor: errata_processor {
    switch self {
    case .baseline: errata_baseline
    case .avx2: errata_avx2
    case .avx512: errata_avx512
    }
  }

  /// Those that this processor has, from the narrowest on.
  package static var available: [KernelSet] {
    let widest = errata_widest_processor()
    return allCases.filter { $0.processor.rawValue <= widest.rawValue }
  }

  /// The one that the kernels of this process use.
  package static var used: KernelSet {
    let used = errata_used_processor()
    return allCases.first { $0.processor == used }!
  }
}
