import Tensors

extension Manifest {
  /// The formats that this version reads. A patch is written in the lowest that says everything.
  public static let formatVersions = 1...2

  /// 2 if the patch says something that a reader of format 1 would take for something else (Spec: versions), else 1.
  var neededFormat: Int { batches.contains(where: \.needsFormat2) ? 2 : 1 }
}

extension Manifest.Batch {
  fileprivate var needsFormat2: Bool {
    metric != nil || method.lambdas != nil || tensors.values.contains { $0.slack != nil }
      || facts.contains { !$0.isPlain }
  }
}
