import COpenBLAS
import Foundation

/// Debian 12's OpenBLAS (0.3.21) does not know processors newer than itself and takes its AVX2 kernels for them, at
/// half the speed of its AVX-512 ones. It reads its choice from the environment before `main`, so the process starts
/// itself again with `OPENBLAS_CORETYPE` set.
public enum WidestKernels {
  private static let variable = "OPENBLAS_CORETYPE"

  /// To be called first thing in `main`, before anything is read or written. Does nothing if the variable is set, the
  /// processor lacks AVX-512, or OpenBLAS uses it already.
  public static func use() {
    guard getenv(variable) == nil, let name = openblas_get_corename(), processorHasAVX512,
      ["Haswell", "Zen"].contains(String(cString: name))
    else { return }
    setenv(variable, "SkylakeX", 1)
    var arguments = CommandLine.arguments.map { strdup($0) }
    arguments.append(nil)
    // If it fails the process goes on as it is, only slower.
    execv("/proc/self/exe", arguments)
  }

  private static var processorHasAVX512: Bool {
    guard let information = try? String(contentsOfFile: "/proc/cpuinfo", encoding: .utf8),
      let flags = information.split(separator: "\n").first(where: { $0.hasPrefix("flags") })
    else { return false }
    let names = Set(flags.split(separator: " "))
    return ["avx512f", "avx512dq", "avx512cd", "avx512bw", "avx512vl"].allSatisfy { names.contains($0[...]) }
  }
}
