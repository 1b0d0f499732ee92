import Foundation
import Safetensors
import Tensors
import WeightPatch

/// What should be said of a checkpoint when its state changes; it does not keep it from changing.
extension StatePlan {
  /// In words: files that are not those that a new patch was made with, weights that the edit does not reach, and
  /// copies of edited weights that stay as they were.
  ///
  /// - Throws: an `ErrataError` if a file cannot be read.
  package func remarks() throws -> [String] {
    try foreignFiles() + [state.checkpoint.remarkOnOtherWeights()].compactMap { $0 } + staleCopies()
  }

  /// Configuration and tokenizer are no part of what exact apply works on, but of what a patch does.
  private func foreignFiles() throws -> [String] {
    guard let directory = state.checkpoint.directory else { return [] }
    let expected = applied.map(\.manifest.base)
    return try [("config.json", expected.map(\.configuration)), ("tokenizer.json", expected.map(\.tokenizer))].flatMap {
      name, recorded -> [String] in
      let path = "\(directory)/\(name)"
      guard recorded.contains(where: { $0 != nil }), FileManager.default.fileExists(atPath: path) else { return [] }
      let found = try Digest(contentsOf: path)
      return zip(applied, recorded).compactMap { file, expected in
        guard let expected, expected != found else { return nil }
        return "\(file.path): was made with another \(name) (\(expected.abbreviated)) than \(path) "
          + "(\(found.abbreviated)): what it says of its facts may not hold here"
      }
    }
  }

  /// The names that families give the weights that read tokens, and those that predict them.
  private static let vocabulary = (
    input: ["embed_tokens.weight", "wte.weight", "embed_in.weight"], output: ["lm_head.weight", "embed_out.weight"]
  )

  /// Models that tie both often store them twice.
  private func staleCopies() throws -> [String] {
    let checkpoint = state.checkpoint
    func isNamed(_ tensor: ByteString, _ names: [String]) -> Bool {
      names.contains { tensor.description == $0 || tensor.description.hasSuffix("." + $0) }
    }
    // Of thousands of tensors, few have such a name.
    let edited = changedTensors
    let others = checkpoint.tensorNames.filter { baseDigests[$0] == nil }
    var pairs: [(edited: ByteString, other: ByteString)] = []
    for (names, partners) in [
      (Self.vocabulary.input, Self.vocabulary.output), (Self.vocabulary.output, Self.vocabulary.input),
    ] {
      let partners = others.filter { isNamed($0, partners) }
      for name in edited where isNamed(name, names) { pairs += partners.map { (name, $0) } }
    }
    return try pairs.compactMap { edited, name in
      let tensor = try checkpoint.tensor(named: edited)
      let other = try checkpoint.tensor(named: name)
      guard other.dtype == tensor.dtype, other.shape == tensor.shape, other.digest() == baseDigests[edited] else {
        return nil
      }
      return "\(name): is a copy of \(edited) without patches, and is left as it is: a program that loads both "
        + "separately sees the old values there"
    }
  }
}

extension Checkpoint {
  /// In words: the files of the directory that hold weights too and are no part of this checkpoint, so that Errata
  /// neither reads nor edits them; nil if there are none.
  ///
  /// - Throws: an `ErrataError` if the directory cannot be read.
  package func remarkOnOtherWeights() throws -> String? {
    guard let directory else { return nil }
    let own = Set(shards.map { fileName(of: $0.path) })
    // Publishers put another form of the weights into a folder too: `original`, `onnx`.
    let names = try Self.names(in: directory).flatMap { name in
      [name] + ((try? Self.names(in: "\(directory)/\(name)")) ?? []).map { "\(name)/\($0)" }
    }
    let others = names.filter { !own.contains($0) && Self.holdsWeights($0) }
    guard !others.isEmpty else { return nil }
    let (verb, object) = others.count == 1 ? ("is", "it") : ("are", "them")
    return
      "\(path): holds other weights too, which \(verb) neither read nor edited: \(others.joined(separator: ", ")); "
      + "whoever loads \(object) does not see this checkpoint"
  }

  private static func names(in folder: String) throws -> [String] {
    do {
      return try FileManager.default.contentsOfDirectory(atPath: folder).filter { !$0.hasPrefix(".") }.sorted()
    } catch {
      throw ErrataError.system("read", folder, error.systemCode)
    }
  }

  private static func holdsWeights(_ path: String) -> Bool {
    let name = fileName(of: path)
    // Adapters and the state of a training are no second set.
    let isOther = ["adapter_", "training_args", "optimizer", "scheduler", "rng_state"].contains(where: name.hasPrefix)
    let endings = [".safetensors", ".bin", ".pt", ".pth", ".ckpt", ".gguf", ".h5", ".msgpack", ".onnx"]
    return !isOther && endings.contains(where: name.hasSuffix)
  }
}
