import Tensors

/// One block: its weights, as operators. `Architecture.Layer` says which of its steps there are; `Block+Forward.swift`
/// and `Block+Backward.swift` take them.
struct Block {
  let heads: Architecture.Heads
  let enteringNormalization: Normalization?
  let attentionNormalization: Normalization?
  /// Queries alone if keys and values are another layer's.
  let queryKeyValue: Linear
  let keyValueSource: Int?
  /// What queries, keys and values are bounded by.
  let queryKeyValueLimit: Float?
  let headNormalization: HeadNormalization?
  let rotation: Rotation?
  let attention: Attention
  let attentionWindow: Int?
  let attentionOutput: Linear
  let attentionJunction: Junction
  let middleNormalization: Normalization?
  let perceptronNormalization: Normalization?
  let up: Linear
  let perceptron: Perceptron
  let down: Linear
  let downJunction: Junction
  let leavingNormalization: Normalization?
  let perLayerInput: PerLayerInput?
  let scale: Float

  /// The rows of a pass at one layer, and what they see.
  struct Pass {
    let layer: Int
    let plan: AttentionPlan
    let positions: [Int32]
    /// The keys and values of kept rows at this layer.
    let kept: UnsafePointer<Float>?

    var rows: Int { plan.rowCount }
  }

  var hiddenSize: Int { down.outputSize }

  /// The heads of a packed row that are rotated, and normalized, here: none of keys that another layer has made.
  var rotatedHeadCount: Int { heads.count + (keyValueSource == nil ? heads.keyValueCount : 0) }
}
