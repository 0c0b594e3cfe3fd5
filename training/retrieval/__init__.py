"""The joint space of pictures and captions, trained on Flickr8k (`fit joint_flickr8k`)."""
