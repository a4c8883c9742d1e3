"""A training step in TensorFlow, graph mode without XLA: tensorflow_step.py pilotcnn"""

import worker  # first, since it redirects stdout
import tensorflow as tf
from tensorflow.keras import layers

tf.config.threading.set_intra_op_parallelism_threads(worker.THREADS)
tf.config.threading.set_inter_op_parallelism_threads(worker.THREADS)

chain = [layers.InputLayer((32, 32, 3))]
for filters in 32, 64, 128:
    for _ in range(2):
        chain += [layers.Conv2D(filters, 3, padding="same", use_bias=False), layers.BatchNormalization(), layers.LeakyReLU(0.01)]
    chain += [layers.MaxPooling2D(2, padding="same"), layers.Dropout(0.4)]
chain.append(layers.Flatten())
for _ in range(2):
    chain += [layers.Dense(512, use_bias=False), layers.BatchNormalization(), layers.LeakyReLU(0.01), layers.Dropout(0.5)]
model = tf.keras.Sequential([*chain, layers.Dense(worker.CLASSES, activation="softmax")])

images = tf.random.uniform((worker.BATCH, 32, 32, 3))
labels = tf.one_hot(tf.random.uniform((worker.BATCH,), maxval=worker.CLASSES, dtype=tf.int32), worker.CLASSES)
loss_of = tf.keras.losses.CategoricalCrossentropy()
optimizer = tf.keras.optimizers.AdamW(worker.LEARNING_RATE, weight_decay=worker.WEIGHT_DECAY, epsilon=worker.EPSILON)


@tf.function
def graph(images, labels):
    with tf.GradientTape() as tape:
        loss = loss_of(labels, model(images, training=True))
    optimizer.apply_gradients(zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables))
    return loss


version = f"TensorFlow {tf.__version__}, oneDNN on, {tf.config.threading.get_intra_op_parallelism_threads()} threads"
parameters = sum(int(tf.size(v)) for v in model.trainable_variables)
worker.serve(lambda steps: worker.timed(lambda: graph(images, labels).numpy(), steps), version, parameters)
