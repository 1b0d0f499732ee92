import Tensors
import WeightPatch

/// Subjects that an edit leaves alone: it holds what the model says at their last tokens, as it holds the keys of
/// earlier facts (Spec: the metric), with a residual of 0 and no search for values.
public struct Protection: Sendable {
  /// Each with a prompt; only what stands before the end of the subject counts.
  public let subjects: [Manifest.Fact]
  /// How much a subject counts beside ordinary text, whose keys have a weight of 1 in the mean: the metric is
  /// (C + weight H H^T)^-1. 1 / mu.
  public let weight: Double

  /// - Parameter subjects: that come twice count once.
  public init(_ subjects: [Manifest.Fact], weight: Double = defaultWeight) {
    var seen: Set<String> = []
    self.subjects = subjects.filter { seen.insert($0.lookupText).inserted }
    self.weight = weight
  }

  public static let defaultWeight = 1.0

  /// Without those whose key is also that of a fact that is edited: the fact asks for something there.
  func sparing(_ facts: [Manifest.Fact]) -> [Manifest.Fact] {
    let edited = Set(facts.map(\.lookupText))
    return subjects.filter { !edited.contains($0.lookupText) }
  }

  /// The digest of protected keys (Spec: the metric).
  ///
  /// - Parameter keys: by the edited weights' names, h x d_in.
  static func digest(_ keys: [ByteString: Matrix<Float>]) -> Digest {
    var hasher = DigestHasher()
    for (name, matrix) in keys.sorted(by: { $0.key < $1.key }) {
      if keys.count > 1 { hasher.update(Array(name.bytes) + [UInt8(ascii: "/")]) }
      hasher.update("keys F32 [\(matrix.rows), \(matrix.columns)]\n")
      matrix.withUnsafePointer {
        hasher.update(UnsafeRawBufferPointer(UnsafeBufferPointer(start: $0, count: matrix.count)))
      }
    }
    return hasher.finalize()
  }
}

extension Manifest.Fact {
  /// What the key depends on, besides the model: the prompt to the end of the subject.
  var lookupText: String {
    let prefix = prompt.firstRange(of: "{}").map { prompt[..<$0.lowerBound] } ?? ""
    return prefix + subject
  }
}
