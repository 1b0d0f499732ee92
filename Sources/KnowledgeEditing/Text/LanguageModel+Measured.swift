import LinearAlgebra
import SecondMomentStatistics
import Tensors

extension LanguageModel: MeasuredModel {
  package var tokenizerDigest: Digest { tokenizer.digest }
  package var specialTokens: SecondMomentOrigin.SpecialTokens { .init(tokenizer) }
  package var layerCount: Int { architecture.layerCount }

  package func editedTensor(_ layer: Int) -> ByteString { decoder.editedTensor(layer) }

  package func keyLength(ofLayer layer: Int) -> Int { architecture.layers[layer].intermediateSize }

  package func weightDigest(ofLayer layer: Int) throws -> Digest { try checkpoint.digest(of: editedTensor(layer)) }

  package func outputPower(ofKeysWithSum sum: PackedTriangle, tokenCount: Int, layer: Int) throws -> Double {
    let stored = try checkpoint.matrix(named: editedTensor(layer))
    let (isTransposed, outputs) = (architecture.storesTransposed, architecture.hiddenSize)
    var power = 0.0
    // Some rows of W at a time, which need little memory in binary64.
    for start in stride(from: 0, to: outputs, by: 256) {
      let range = start..<min(start + 256, outputs)
      var rows = Matrix<Double>(uninitializedRows: range.count, columns: sum.size)
      for row in range {
        for column in 0..<sum.size {
          rows[row - start, column] = Double(isTransposed ? stored[column, row] : stored[row, column])
        }
      }
      power += sum.product(ofRows: rows).elementwiseDot(rows)
    }
    power /= Double(tokenCount)
    guard power.isFinite else { throw ErrataError.keysNotFinite(checkpoint.path, layer: layer) }
    return power
  }
}
