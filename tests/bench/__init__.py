"""`make bench`: Ferryline beside a relay that stores nothing, on one scripted model.

Model, servers and readers are processes of their own. The machine is noisy and not yours, so each
figure is read as a ratio to the relay's in the same run; README.md says what they mean.
"""
