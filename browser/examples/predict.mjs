import { connect } from "@hermetic/client";

const [url, name, token, ...numbers] = process.argv.slice(2);
const model = await connect(url, { model: name, token });
const sample = numbers.map(Number);

console.log("label:", await model.predict(sample)); // one sample (d,), or a batch of them
console.log("scores:", await model.decisionFunction(sample));
console.log("guaranteed to be within", model.signature.error);
model.close(); // forgets the secret key
