/** WordPiece: BERT's words and pieces. */
export { type BasicOptions, basicTokenize } from "./basic.js";
export { type BertModel, type BertOptions, BertTokenizer, type Encoding } from "./bert.js";
export { bertFromJson, bertFromVocabulary, bertToJson, loadBert, saveBert } from "./files.js";
