/// A token of a piece of text, and which bytes of the piece it stands for.
struct PieceToken {
  var id: Int32
  var start: Int32
  var end: Int32
}
